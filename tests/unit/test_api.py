"""Composing a render: devices, styles, plugins, and what is asked of a preview."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import FakeStylizer
from torch.torch_version import TorchVersion

import vidstyle
from vidstyle import compose
from vidstyle.compose import Composition, choose_compute, load_stylizer
from vidstyle.config import make_config
from vidstyle.errors import (
    CheckpointMismatchError,
    ConfigError,
    DeviceError,
    UnsupportedMediaError,
    WeightsNotFoundError,
)
from vidstyle.protocols import Stylizer


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"cuda:99.*--device cpu"):
        choose_compute("cuda:99")
    if not torch.backends.mps.is_available():
        with pytest.raises(DeviceError, match="mps"):
            choose_compute("mps")


def test_mps_is_for_a_torch_that_can_warp_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for version, device in (("2.6.0", "cpu"), ("2.12.1", "cpu"), ("2.13.0", "mps"), ("2.15.0+cu132", "mps")):
        monkeypatch.setattr(torch, "__version__", TorchVersion(version))
        assert choose_compute().device.type == device
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.6.0"))
    with pytest.raises(DeviceError, match=r"2\.13.*--device cpu"):
        choose_compute("mps")


@pytest.mark.parametrize("config", ["film", {"style": "mosaic"}])
def test_settings_of_another_kind_are_refused(tmp_path: Path, config: Any) -> None:
    for call in (vidstyle.stylize, vidstyle.plan):
        with pytest.raises(ConfigError, match="name a preset as preset"):
            call(tmp_path / "in.mp4", tmp_path / "out.mp4", config=config)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_as_asked(precision: str, dtype: torch.dtype) -> None:
    compute = choose_compute("cpu", precision)
    assert (compute.device.type, compute.dtype) == ("cpu", dtype)
    assert "as asked" in compute.reason


def test_a_cpu_computes_in_half_precision_only_where_it_is_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_bf16, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(compose, "cpu_has_bf16", lambda has_bf16=has_bf16: has_bf16)
        assert choose_compute("cpu").dtype == dtype


def test_identity_is_built_in() -> None:
    stylizer = load_stylizer(make_config(style="identity"))
    assert isinstance(stylizer, Stylizer)
    picture = torch.rand(1, 3, 5, 7)
    assert torch.equal(stylizer(picture), picture)


@pytest.mark.parametrize("name", ["nowhere.safetensors", "nowhere.pth", "nowhere.png"])
def test_a_style_file_that_is_not_there(name: str) -> None:
    with pytest.raises(WeightsNotFoundError, match=f"no style file {name}"):
        load_stylizer(make_config(style=name))


def plug_in(monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    class Plugin(EntryPoint):
        def load(self) -> Any:
            return lambda: made

    def entry_points(*, group: str, name: str) -> list[EntryPoint]:
        return [Plugin(name, "package:make", group)] if (group, name) == ("vidstyle.stylizers", "mine") else []

    monkeypatch.setattr(compose, "entry_points", entry_points)


def test_a_plugin_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stylizer = FakeStylizer()
    plug_in(monkeypatch, stylizer)
    assert load_stylizer(make_config(style="mine")) is stylizer


def test_a_plugin_that_makes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, "no stylizer")
    with pytest.raises(CheckpointMismatchError, match="mine"):
        load_stylizer(make_config(style="mine"))


@pytest.mark.parametrize(
    ("settings", "steady"),
    [({}, True), ({"consistency": 0.0}, False), ({"flow": "none"}, False), ({"style": "identity"}, False)],
)
def test_no_flow_no_filter(settings: dict[str, Any], steady: bool) -> None:
    composition = Composition.load(make_config(**{"style": "mosaic", "device": "cpu", **settings}))
    flow = composition.flow()
    painter = composition.painter((64, 48), None, flow)
    assert (painter.temporal is not None, painter.flow is not None) == (steady, steady)
    assert flow.reason.endswith(".")


def test_the_size_is_worked_out_from_the_upright_source() -> None:
    composition = Composition.load(make_config(style="identity", size="50%"))
    assert composition.painter((48, 64)).size == (24, 32)
    assert Composition.load(make_config(style="identity")).painter((48, 64)).size is None
    with pytest.raises(ConfigError, match="2000%"):
        Composition.load(make_config(style="identity", size="2000%")).painter((1280, 720))


@pytest.mark.parametrize("empty", [{"at": []}, {"style": []}])
def test_a_preview_of_nothing_is_refused(clip_mp4: Path, empty: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        vidstyle.preview(clip_mp4, **empty)


def test_an_unknown_setting_is_refused(clip_mp4: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'consistency'"):
        vidstyle.stylize(clip_mp4, tmp_path / "out.mp4", consistancy=0.5)


def test_a_preview_is_a_picture(clip_mp4: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaError, match=r"\.png"):
        vidstyle.preview(clip_mp4, tmp_path / "out.mp4")
    assert vidstyle.preview(clip_mp4, style="identity").output is None


@pytest.mark.parametrize(
    "at",
    [0, 0.5, "0.5", Fraction(1, 2), np.float32(0.5), np.int64(1), Decimal("0.5"), np.array(0.5), [np.float64(0.5)]],
)
def test_a_moment_is_any_kind_of_number(clip_mp4: Path, at: Any) -> None:
    (cell,) = vidstyle.preview(clip_mp4, at=at, style="identity", strength=np.float32(1)).cells
    assert cell.at_seconds == float(at[0] if isinstance(at, list) else at)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"at": b"0.5"}, "a time is a number of seconds"),
        ({"strength": "half"}, "'strength' cannot be 'half'"),
        ({"clip_seconds": "0.3"}, "number of seconds, not '0.3'"),
    ],
)
def test_what_is_no_number_is_refused(clip_mp4: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        vidstyle.preview(clip_mp4, style="identity", **asked)


@pytest.mark.parametrize(
    ("options", "message"), [({"foo": 1}, "There is no setting 'foo'; known are"), ({"iterations": "5"}, "wrong kind")]
)
def test_settings_of_an_optimisation_are_checked(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        vidstyle.optimize("content.png", "style.png", tmp_path / "out.png", **options)
