from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from vidstyle.errors import ConfigError
from vidstyle.frames import ColorInfo
from vidstyle.media.encoder import EncoderSettings, choose_encoder
from vidstyle.media.encoder_options import encoder_options, option_names
from vidstyle.media.hardware import list_encoders_available, software_for, translate_preset, unusable
from vidstyle.media.pixel_format import PixelNeeds

PLAIN: dict[str, Any] = {"crf": None, "bitrate": None, "preset": None, "given": {}}


def options(codec: str, **changes: Any) -> dict[str, str]:
    return encoder_options(codec, **(PLAIN | changes))


def choose(codec: str, **changes: Any) -> tuple[EncoderSettings, list[str]]:
    notes: list[str] = []
    settings: dict[str, Any] = {
        "rate": Fraction(24),
        "time_base": Fraction(1, 24),
        "color": ColorInfo("bt709", "bt709", "bt709", "tv"),
        "sample_aspect_ratio": Fraction(1),
        "crf": None,
        "bitrate": None,
        "preset": None,
        "pixel_format": None,
        "options": {},
        "note": notes.append,
    }
    return choose_encoder(codec, (64, 48), **(settings | changes)), notes


class TestRateControl:
    @pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
    def test_quality_bitrate_and_neither(self, codec: str) -> None:
        assert options(codec, crf=33)["crf"] == "33"
        assert options(codec, bitrate=2_000_000)["b"] == "2000000"
        assert "crf" not in options(codec, bitrate=2_000_000)
        assert int(options(codec)["crf"]) > 10

    @pytest.mark.parametrize("name", ["b", "crf", "qp"])
    def test_a_control_given_by_name_replaces_the_default_quality(self, name: str) -> None:
        told = options("libx264", given={name: "30"})
        assert {"b", "crf", "qp"} & told.keys() == {name}

    @pytest.mark.parametrize("codec", ["libx264", "libx265"])
    def test_controls_by_name_exclude_each_other_too(self, codec: str) -> None:
        for changes in ({"bitrate": 1_000_000, "given": {"crf": "30"}}, {"crf": 20, "given": {"b": "3M"}}):
            with pytest.raises(ConfigError, match=r"b and crf.* exclude each other"):
                options(codec, **changes)
        with pytest.raises(ConfigError, match="crf from 0 to 51, not 99"):
            options(codec, given={"crf": "99"})
        assert options("libvpx-vp9", crf=30, given={"b": "2M"})["b"] == "2M"  # its constrained quality

    @pytest.mark.parametrize("changes", [{"preset": "slw"}, {"given": {"preset": "slw"}}])
    def test_an_unknown_preset_is_named_before_the_encoder_sees_it(
        self, changes: dict[str, Any], capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(ConfigError, match=r"libx264 has no preset 'slw'; did you mean .*slow"):
            choose("libx264", preset=changes.get("preset"), options=changes.get("given", {}))
        assert not capfd.readouterr().err
        assert options("libx264", preset="5")["preset"] == "5"

    def test_so_is_an_unknown_tune(self, capfd: pytest.CaptureFixture[str]) -> None:
        for codec, tune in (("libx264", "grian"), ("libx265", "film"), ("libx264", "film,hq")):
            with pytest.raises(ConfigError, match=f"{codec} has no tune"):
                choose(codec, options={"tune": tune})
        assert not capfd.readouterr().err
        assert choose("libx264", options={"tune": "film,fastdecode"})[0].options["tune"] == "film,fastdecode"

    def test_both_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="exclude each other"):
            options("libx264", crf=20, bitrate=1_000_000)

    @pytest.mark.parametrize("codec", ["ffv1", "prores_ks"])
    def test_codecs_without_either(self, codec: str) -> None:
        with pytest.raises(ConfigError, match="has no crf"):
            options(codec, crf=20)
        with pytest.raises(ConfigError, match="has no bitrate"):
            options(codec, bitrate=1_000_000)

    @pytest.mark.parametrize("codec", ["libx264", "libx265"])
    def test_a_quality_past_the_end_of_the_scale(self, codec: str) -> None:
        with pytest.raises(ConfigError, match="from 0 to 51"):
            options(codec, crf=52)


class TestHardware:
    def test_quality_and_speed_as_nvenc_calls_them(self) -> None:
        told = options("h264_nvenc", crf=23, preset="slow")
        assert told == {"rc": "vbr", "cq": "23", "b": "0", "preset": "p5"}
        assert options("hevc_nvenc", bitrate=5_000_000)["rc"] == "vbr"

    @pytest.mark.parametrize(
        ("hardware", "software"),
        [
            ("h264_nvenc", "libx264"),
            ("hevc_videotoolbox", "libx265"),
            ("av1_nvenc", "libsvtav1"),
            ("prores_videotoolbox", "prores_ks"),
            ("libx264", None),
            ("h264_nvnc", None),
        ],
    )
    def test_software_of_the_same_family(self, hardware: str, software: str | None) -> None:
        assert software_for(hardware) == software

    @pytest.mark.parametrize(("family", "encoder"), [("hevc", "libx265"), ("h264", "libx264"), ("av1", "libsvtav1")])
    def test_a_family_means_its_software(self, family: str, encoder: str) -> None:
        settings, notes = choose(family)
        assert (settings.codec, notes) == (encoder, [])

    @pytest.mark.parametrize(("preset", "speed"), [("veryslow", "p7"), ("medium", "p4"), ("p3", "p3")])
    def test_speeds_both_ways(self, preset: str, speed: str) -> None:
        assert translate_preset(preset, "h264_nvenc") == speed
        if preset != speed:
            assert translate_preset(speed, "libx264") == preset

    @pytest.mark.parametrize("codec", ["h264_videotoolbox", "hevc_nvenc", "h264_nvenc"])
    def test_missing_hardware_is_replaced_and_said_so(self, codec: str) -> None:
        if unusable(codec) is None:
            pytest.skip(f"{codec} works here")
        settings, notes = choose(codec, crf=30, preset="fast")
        assert settings.codec == software_for(codec)
        assert settings.options["crf"] == "30"
        assert settings.options["preset"] == "fast"
        assert any(f"{codec} cannot be used on this machine" in note and settings.codec in note for note in notes)

    def test_options_that_software_has_not_are_named(self) -> None:
        if unusable("h264_nvenc") is None:
            pytest.skip("h264_nvenc works here")
        settings, notes = choose("h264_nvenc", options={"spatial-aq": "1", "tune": "hq", "g": "12"})
        assert settings.options["g"] == "12"
        assert any("spatial-aq, tune" in note and "left out" in note for note in notes)
        if option_names("h264_nvenc"):
            with pytest.raises(ConfigError, match=r"did you mean .*spatial"):
                choose("h264_nvenc", options={"spatial_qa": "1"})

    def test_what_is_listed_can_be_opened(self) -> None:
        listed = list_encoders_available()
        assert listed["libx264"]
        assert listed["aac"]
        assert all(
            listed[name] == (unusable(name) is None) for name in ("h264_nvenc", "h264_videotoolbox", "prores_ks")
        )


class TestRefused:
    @pytest.mark.parametrize(
        ("codec", "given"),
        [
            ("libx264", {"g": "many"}),
            ("libx264", {"x264-params": "no-such-thing=1"}),
            ("libx264", {"x264-params": "keyint=soon"}),
            ("libx265", {"x265-params": "no-such-thing=1"}),
            ("libx265", {"x265-params": "keyint=soon"}),
            ("libsvtav1", {"svtav1-params": "no-such-thing=1"}),
            ("libvpx-vp9", {"cpu-used": "99"}),
        ],
    )
    def test_values_an_encoder_would_ignore_or_refuse(self, codec: str, given: dict[str, str]) -> None:
        with pytest.raises(ConfigError, match=f"{codec} cannot encode .*change --codec, its options or --size"):
            choose(codec, options=given)

    def test_the_reason_is_that_of_the_format_which_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"64x48 yuv422p10le .*at least 256x120"):
            choose("dnxhd", needs=PixelNeeds(depth=10), options={"profile": "dnxhr_hqx"})

    @pytest.mark.parametrize(
        ("codec", "given"),
        [
            ("libx264", {"x264-params": "keyint=12:bframes=0"}),
            ("libx265", {"x265-params": "keyint=12"}),
            ("libsvtav1", {"svtav1-params": "tune=0"}),
        ],
    )
    def test_good_ones_are_passed_on(self, codec: str, given: dict[str, str]) -> None:
        settings, notes = choose(codec, options=given)
        assert notes == []
        assert all(value in settings.options[name] for name, value in given.items())

    @pytest.mark.parametrize("name", ["ab", "lowres", "video_size"])
    def test_options_of_others_are_no_options_of_an_encoder(self, name: str) -> None:
        with pytest.raises(ConfigError, match="has no option"):
            options("libx264", given={name: "1"})
