"""Which part of a clip a range means, and that its frames and its sound are those of the whole clip."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import media_factory as factory
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidstyle.errors import ConfigError, OpenError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.media import open_video

Times = list[Fraction]


def read(path: Path, **options) -> tuple[list[VideoFrame], list[Packet], list[str]]:
    with open_video(path, **options) as reader:
        items = list(reader)
    frames = [item for item in items if isinstance(item, VideoFrame)]
    return frames, [item for item in items if isinstance(item, Packet)], reader.warnings


def times(path: Path, **options) -> Times:
    return [frame.pts * frame.time_base for frame in read(path, shift_to_zero=False, **options)[0]]


@pytest.fixture(scope="module")
def late(media_dir: Path) -> Path:
    """Starts at 8.3 s, 25 frames 40 ms apart, with sound from 8.3 s on and B-frames."""
    return factory.make_clip(
        media_dir / "late.mkv", pts=range(8300, 9300, 40), time_base=factory.MS, rate=25, audio="pcm_s16le",
        audio_start_seconds=8.3, options={"preset": "fast"}, keyframe_interval=7,
    )  # fmt: skip


@pytest.fixture(scope="module")
def labelled(media_dir: Path) -> Path:
    """Two seconds at 29.97 frames a second, labelled from 01:00:00;00 on."""
    return factory.make_clip(
        media_dir / "labelled.mov", rate=Fraction(30000, 1001), num_frames=60, metadata={"timecode": "01:00:00;00"}
    )


@pytest.fixture(scope="module")
def uneven(media_dir: Path) -> Path:
    return factory.make_clip(media_dir / "uneven.mkv", pts=factory.VFR_PTS_MS, time_base=factory.MS)


def ms(*values: int) -> Times:
    return [value * factory.MS for value in values]


def test_times_count_from_the_first_frame(late: Path) -> None:
    assert times(late, start_seconds=0.4, end_seconds=0.52) == ms(8700, 8740, 8780)
    assert times(late, end_seconds=0.1) == ms(8300, 8340, 8380)
    with open_video(late, start_seconds=0.4) as reader:
        assert (reader.origin, reader.start) == (Fraction(83, 10), Fraction(87, 10))


def test_sound_that_starts_long_before_the_picture_is_where_a_clip_begins(tmp_path: Path) -> None:
    path = factory.make_clip(
        tmp_path / "c.mkv", pts=range(1000, 2000, 40), time_base=factory.MS, audio="pcm_s16le", rate=25
    )
    assert times(path, start_seconds=1.2, end_seconds=1.3) == ms(1200, 1240, 1280)


def test_the_cut_sound_stays_in_sync(late: Path) -> None:
    whole, sound, _ = read(late)
    frames, packets, _ = read(late, start_seconds=0.33)
    first = next(f.pts * f.time_base for f in whole if f.pts * f.time_base >= Fraction(863, 100))
    assert frames[0].pts == 0
    assert bytes(packets[0].payload) in [bytes(packet.payload) for packet in sound]
    before = next(p for p in sound if bytes(p.payload) == bytes(packets[0].payload)).payload
    after = packets[0].payload
    assert abs(after.pts * after.time_base - (before.pts * before.time_base - first)) <= after.time_base / 2
    assert after.pts >= 0


@pytest.mark.parametrize(
    ("start", "end", "first", "num"),
    [("01:00:00;10", "01:00:00;13", 10, 3), ("01:00:01;00", None, 30, 30), (1.001, "01:00:01;02", 30, 2)],
)
def test_timecodes_count_from_the_clip_s_own(labelled: Path, start, end, first: int, num: int) -> None:
    found = times(labelled, start_seconds=start, end_seconds=end)
    assert found == [index * Fraction(1001, 30000) for index in range(first, first + num)]


def test_timecodes_count_from_zero_where_a_clip_has_none(clip_mp4: Path) -> None:
    assert times(clip_mp4, start_seconds="00:00:01:02", end_seconds="00:00:01:04") == [
        Fraction(26, 24),
        Fraction(27, 24),
    ]


@pytest.mark.parametrize(
    ("start", "message"),
    [("00:59:59;00", "before the clip's first frame"), ("01:00:00:30", "no frame 30"), ("soon", "not a time")],
)
def test_timecodes_the_clip_does_not_have_are_refused(labelled: Path, start: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_video(labelled, start_seconds=start)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 4))
def test_frames_are_counted_in_display_order(uneven: Path, a: int, b: int, handles: int) -> None:
    first, last = sorted((a, b))
    expected = ms(*factory.VFR_PTS_MS[max(first - handles, 0) : last + handles + 1])
    assert times(uneven, frames=f"{first}-{last}", handles=handles) == expected


@pytest.mark.parametrize("name", ["c.mp4", "c.avi", "c.h264", "c.webm", "c.ts"])
def test_frames_are_counted_in_every_container(tmp_path: Path, name: str) -> None:
    codec = {"c.avi": "libx264"}.get(name)
    options = {} if name == "c.webm" else {"preset": "fast"}
    format_name = "h264" if name == "c.h264" else None
    path = factory.make_clip(tmp_path / name, num_frames=30, options=options, codec=codec, format_name=format_name)
    whole, _, _ = read(path)
    part, _, _ = read(path, frames="7-20")
    assert len(part) == 14
    assert all(torch.equal(a.data, b.data) for a, b in zip(part, whole[7:], strict=False))


def test_handles_end_where_the_clip_does(late: Path) -> None:
    frames, _, notes = read(late, frames="2-22", handles=5)
    assert len(frames) == 25
    assert [("begins 2 frames before" in note, "ends 2 frames after" in note) for note in notes] == [
        (True, False), (False, True),
    ]  # fmt: skip
    assert times(late, start_seconds=0.4, end_seconds=0.48, handles=1) == ms(8660, 8700, 8740, 8780)


@pytest.mark.parametrize("frames", ["46-48", "48", "100-200"])
def test_frames_past_the_end_are_refused(clip_mp4: Path, frames: str) -> None:
    with pytest.raises(OpenError, match="48 frames, 0 to 47"):
        open_video(clip_mp4, frames=frames)


def test_frames_and_moments_exclude_each_other(clip_mp4: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        open_video(clip_mp4, frames="1-2", start_seconds=1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 12))
def test_warming_up_gives_the_frames_before_at_earlier_times(uneven: Path, start_ms: int, num: int) -> None:
    start = start_ms * factory.MS
    whole, _, _ = read(uneven)
    with open_video(uneven, start_seconds=start, warmup_frames=num) as reader:
        frames = [item for item in reader if isinstance(item, VideoFrame)]
        first_seconds = reader.first_seconds if reader.first_seconds is not None else -1.0
    chosen = sum(t < start_ms for t in factory.VFR_PTS_MS)
    num_before = min(num, chosen)
    assert [f.data.equal(w.data) for f, w in zip(frames, whole[chosen - num_before :], strict=True)] == [True] * len(
        frames
    )
    assert sum(frame.seconds < first_seconds for frame in frames) == num_before
    assert frames[num_before].pts == 0
    assert all(a.pts < b.pts for a, b in pairwise(frames))


@pytest.mark.parametrize("name", ["c.avi", "c.h264"])
def test_warming_up_without_timestamps(tmp_path: Path, name: str) -> None:
    format_name = "h264" if name == "c.h264" else None
    path = factory.make_clip(tmp_path / name, num_frames=20, format_name=format_name)
    frames, _, _ = read(path, frames="10-11", warmup_frames=3)
    assert [frame.pts * frame.time_base * 24 for frame in frames] == [-3, -2, -1, 0, 1]


def test_sound_before_the_start_does_not_warm_up(late: Path) -> None:
    _, packets, _ = read(late, start_seconds=0.4, warmup_frames=8)
    assert min(packet.payload.pts for packet in packets) >= 0


@pytest.mark.parametrize(("at", "shown"), [(0, 0), (0.039, 0), (0.04, 40), (0.3, 240), (0.55, 533), (1.02, 1000)])
def test_the_frame_shown_at_a_moment_may_have_begun_before(uneven: Path, at: float, shown: int) -> None:
    assert times(uneven, start_seconds=at, from_shown=True)[0] == shown * factory.MS
