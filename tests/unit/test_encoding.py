from __future__ import annotations

import pytest

from vidstyle.config import make_config
from vidstyle.encoding import bits_per_second, override
from vidstyle.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "bits"), [("8M", 8_000_000), ("600k", 600_000), ("2.5m", 2_500_000), ("4500000", 4_500_000)]
)
def test_bitrates(text: str, bits: int) -> None:
    assert bits_per_second(text) == bits


@pytest.mark.parametrize("text", ["", "fast", "0", "8 M", "8G", "-1k", "99999M", "1e6"])
def test_what_is_no_bitrate(text: str) -> None:
    with pytest.raises(ValueError, match="8M"):
        bits_per_second(text)
    with pytest.raises(ConfigError, match="bitrate"):
        make_config(bitrate=text)


def test_a_quality_and_a_bitrate_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"^A constant quality .* exclude each other; give one of them\.$"):
        make_config(crf=20, bitrate="8M")


def test_a_bitrate_replaces_the_preset_s_quality() -> None:
    config = make_config("web", bitrate="8M")
    assert (config.crf, config.bitrate, config.encoder_preset) == (None, "8M", "medium")


def test_options_add_to_the_preset_s() -> None:
    config = make_config("archive", encoder_options={"slices": "4", "level": "1"})
    assert config.encoder_options == {"level": "1", "slicecrc": "1", "slices": "4"}


def test_another_codec_takes_nothing_of_the_preset_s_encoder() -> None:
    preset = {"codec": "libx264", "crf": 20, "size": "50%", "containers": {"webm": {"codec": "libvpx-vp9"}}}
    assert override(preset, {"codec": "ffv1"}) == {"codec": "ffv1", "size": "50%"}
    assert override(preset, {"codec": "libx264"})["crf"] == 20


@pytest.mark.parametrize("table", ["webm", {"webm": 3}, {"webm": {"colour": 1}}, {"avi": {}}])
def test_a_table_of_containers_that_is_none_is_refused(tmp_path, table: object) -> None:
    with pytest.raises(ConfigError, match="containers"):
        make_config(containers=table)
