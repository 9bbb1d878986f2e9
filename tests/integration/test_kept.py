"""What each container keeps of time and picture, as tables: rendering checks them, docs/media.md is made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import media_factory as factory
import pytest
from deep_factory import LOSSLESS, color, make_deep_clip

import vidstyle
from vidstyle.errors import ConfigError
from vidstyle.media import open_video
from vidstyle.report import RenderReport

CONTAINERS = ("mp4", "mov", "mkv", "webm")
FILM_RATE = Fraction(24000, 1001)
#: A clock without a whole number of ticks a millisecond, as cameras use it.
CLOCK = Fraction(1, 90000)
HDR10 = "hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
FAST = {"encoder_preset": "ultrafast"}
#: Encoder of a container that was not told which to use.
DEFAULT = {"mp4": FAST, "mov": FAST, "mkv": FAST, "webm": {}}
#: Encoder with room for opacity; mp4 has none.
WITH_ALPHA: dict[str, dict[str, Any]] = {"mov": {"codec": "prores_ks"}, "mkv": {"codec": "ffv1"}}


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        make: writes the source into a folder.
        look: what is found in the output, as the table says it.
        cells: what is expected, by container.
        settings: of the render.
    """

    make: Callable[[Path], Path]
    look: Callable[[Path, Path, RenderReport], str]
    cells: tuple[str, str, str, str]
    settings: dict[str, Any] = field(default_factory=dict)


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def look_at_times(source: Path, output: Path, _: RenderReport) -> str:
    return compare_times(times(source), times(output))


def look_at_counted_times(source: Path, output: Path, _: RenderReport) -> str:
    with av.open(str(source)) as container:
        number = sum(1 for _ in container.decode(video=0))
    return compare_times([Fraction(index, 24) for index in range(number)], times(output))


def compare_times(before: list[Fraction], after: list[Fraction]) -> str:
    if len(before) != len(after):
        return f"{len(after)} frames of {len(before)}"
    worst = max(abs(a - b) for a, b in zip(before, after, strict=True))
    return "exact" if worst == 0 else "within ½ ms" if worst <= Fraction(1, 2000) else f"off by {float(worst):g} s"


def look_at_offset(source: Path, output: Path, report: RenderReport) -> str:
    assert report.plan is not None
    converted = any(stream.action == "convert" for stream in report.plan.streams)
    offsets, ticks = [], []
    for path in (source, output):
        with av.open(str(path)) as container:
            sound, picture = container.streams.audio[0], container.streams.video[0]
            # A copy begins with the same packet; what a new encoder needs to get going is not heard.
            items = container.decode(sound) if converted else (p for p in container.demux(sound) if p.size)
            first = next(iter(items))
            offsets.append(first.pts * first.time_base - times(path)[0])
            ticks.append(max(sound.time_base, picture.time_base))
    return (
        "within a tick" if abs(offsets[1] - offsets[0]) <= ticks[1] else f"off by {float(offsets[1] - offsets[0]):g} s"
    )


def look_at_tags(source: Path, output: Path, _: RenderReport) -> str:
    return "kept" if factory.stored_color(output) == factory.stored_color(source) else "lost"


def look_at_turn(source: Path, output: Path, _: RenderReport) -> str:
    with open_video(source) as before, open_video(output) as after:
        assert before.info.rotation_degrees == 90
        upright = after.info.rotation_degrees == 0 and not after.info.flipped
        return "applied" if upright and after.info.upright_size == before.info.upright_size else "lost"


def look_at_pixel_shape(source: Path, output: Path, report: RenderReport) -> str:
    with open_video(source) as before, open_video(output) as after:
        if after.info.sample_aspect_ratio == before.info.sample_aspect_ratio:
            return "kept"
    assert any("players will show them square" in note for note in report.notes)
    return "lost, said"


def look_at_size(source: Path, output: Path, _: RenderReport) -> str:
    with open_video(source) as before, open_video(output) as after:
        return "kept" if after.info.upright_size == before.info.upright_size else "changed"


def look_at_depth(_: Path, output: Path, report: RenderReport) -> str:
    with open_video(output) as after:
        bits = after.info.bit_depth
    assert (bits > 8) != any("keeps 8" in note for note in report.notes)
    return f"{bits} bits" if bits > 8 else "8 bits, said"


def look_at_light(source: Path, output: Path, report: RenderReport) -> str:
    with open_video(source) as before, open_video(output) as after:
        assert before.hdr is not None
        if after.hdr is not None and after.hdr.max_content_light == before.hdr.max_content_light:
            return "kept"
    assert any("HDR metadata" in note or "light" in note for note in report.notes)
    return "lost, said"


def look_at_opacity(_: Path, output: Path, report: RenderReport) -> str:
    with open_video(output, alpha="keep") as after:
        return f"{report.plan.codec}" if report.plan and after.keeps_alpha else "lost"


def film(folder: Path) -> Path:
    return factory.make_clip(folder / "c.mp4", rate=FILM_RATE, num_frames=30)


def uneven(folder: Path) -> Path:
    ticks = [0, 3003, 6006, 12500, 15503, 40000, 43003]
    return factory.make_clip(folder / "c.mp4", pts=ticks, time_base=CLOCK)


def late(folder: Path) -> Path:
    return factory.make_clip(folder / "c.mp4", pts=[7777 + 3750 * n for n in range(12)], time_base=CLOCK)


def avi(folder: Path) -> Path:
    return factory.make_clip(folder / "c.avi", num_frames=25)


def raw(folder: Path) -> Path:
    return factory.make_clip(folder / "c.mp4", num_frames=25, format_name="h264", options={"bf": "0"}).rename(
        folder / "c.h264"
    )


def late_sound(folder: Path) -> Path:
    return factory.make_clip(folder / "c.mp4", num_frames=24, audio="aac", audio_start_seconds=0.3, rate=FILM_RATE)


def tagged(folder: Path) -> Path:
    return make_deep_clip(folder / "c.mkv", "yuv420p", tags=color("bt2020nc", "pc"))


def turned(folder: Path) -> Path:
    return factory.make_clip(folder / "c.mp4", num_frames=3, rotation=(90, True))


def wide_pixels(folder: Path) -> Path:
    return factory.make_clip(folder / "c.mp4", num_frames=3, sample_aspect_ratio=Fraction(16, 11))


def odd(folder: Path) -> Path:
    return factory.make_clip(folder / "c.mp4", num_frames=3, size=(63, 47), pixel_format="yuv444p")


def deep(folder: Path) -> Path:
    return make_deep_clip(folder / "c.mkv", "yuv420p10le", size=(256, 128))


def hdr(folder: Path) -> Path:
    options = {"x265-params": f"{LOSSLESS['libx265']['x265-params']}:{HDR10}"}
    tags = color("bt2020nc", transfer="smpte2084")
    return make_deep_clip(folder / "c.mp4", "yuv420p10le", codec="libx265", tags=tags, options=options)


def see_through(folder: Path) -> Path:
    return make_deep_clip(folder / "c.mkv", "yuva444p", num_frames=1)


TIMES = {
    "frame times, constant rate (24000/1001)": Row(
        film, look_at_times, ("exact", "exact", "within ½ ms", "within ½ ms")
    ),
    "frame times, variable rate": Row(uneven, look_at_times, ("exact", "exact", "within ½ ms", "within ½ ms")),
    "late start": Row(late, look_at_times, ("exact", "exact", "within ½ ms", "within ½ ms")),
    "AVI, timed by counting": Row(avi, look_at_counted_times, ("exact", "exact", "within ½ ms", "within ½ ms")),
    "raw H.264, timed by counting at 24 a second": Row(
        raw, look_at_counted_times, ("exact", "exact", "within ½ ms", "within ½ ms")
    ),
    "sound against picture": Row(late_sound, look_at_offset, ("within a tick",) * 4),
}
PICTURE = {
    "matrix, range, primaries, transfer": Row(tagged, look_at_tags, ("kept",) * 4),
    "rotation and flips": Row(turned, look_at_turn, ("applied",) * 4),
    "pixel shape": Row(wide_pixels, look_at_pixel_shape, ("kept", "kept", "kept", "lost, said")),
    "odd sizes": Row(odd, look_at_size, ("kept",) * 4),
    "10 bits": Row(deep, look_at_depth, ("10 bits", "10 bits", "10 bits", "8 bits, said")),
    "HDR10 mastering display and light levels": Row(hdr, look_at_light, ("kept", "kept", "kept", "lost, said")),
    "opacity, with `--alpha keep` and `--codec`": Row(
        see_through,
        look_at_opacity,
        ("refused", "prores_ks", "ffv1", "libvpx-vp9"),
        {"alpha": "keep"},
    ),
}
_CASES = [
    pytest.param(row, container, cell, id=f"{name}-{container}")
    for name, row in (TIMES | PICTURE).items()
    for container, cell in zip(CONTAINERS, row.cells, strict=True)
]


@pytest.fixture(scope="module")
def source_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Row], Path]:
    known: dict[str, Path] = {}

    def get(row: Row) -> Path:
        name = row.make.__name__
        if name not in known:
            known[name] = row.make(tmp_path_factory.mktemp(name))
        return known[name]

    return get


@pytest.mark.parametrize(("row", "container", "cell"), _CASES)
def test_what_is_kept(source_of: Callable[[Row], Path], tmp_path: Path, row: Row, container: str, cell: str) -> None:
    source, output = source_of(row), tmp_path / f"out.{container}"
    encoder = WITH_ALPHA.get(container, {}) if row.settings.get("alpha") else DEFAULT[container]

    def render() -> RenderReport:
        return vidstyle.stylize(source, output, style="identity", consistency=0.0, **encoder, **row.settings)

    if cell == "refused":
        with pytest.raises(ConfigError):
            render()
        assert list(tmp_path.iterdir()) == []
        return

    report = render()

    assert row.look(source, output, report) == cell
    after = times(output)
    assert all(a < b for a, b in pairwise(after))
