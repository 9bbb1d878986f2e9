"""Frames dropped and repeated as FFmpeg's fps filter does it, but for what a coarse clock rounds down."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import media_factory as factory
import numpy as np
import pytest
from av.filter import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

from vidstyle.errors import ConfigError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.media import open_video
from vidstyle.media.constant_rate import at_constant_rate
from vidstyle.media.decoded import DecodedFrame

RATES = [Fraction(10), Fraction(24000, 1001), Fraction(60), Fraction(7, 3)]


def frames_of(times_ms: Sequence[int]) -> list[DecodedFrame]:
    """Pictures whose first pixel says which they are; the last is shown for 40 ms."""
    frames = []
    for index, time in enumerate(times_ms):
        picture = av.VideoFrame.from_ndarray(np.full((16, 16), index, np.uint8), format="gray")
        frames.append(DecodedFrame(picture, time, factory.MS, 40))
    return frames


def by_ffmpeg(frames: Sequence[DecodedFrame], rate: Fraction) -> list[tuple[int, int]]:
    """(picture, multiple of 1/rate) of every frame the filter gives."""
    graph = Graph()
    source = graph.add_buffer(width=16, height=16, format="gray", time_base=factory.MS)
    chosen = graph.add("fps", f"fps={rate.numerator}/{rate.denominator}")
    source.link_to(chosen)
    chosen.link_to(graph.add("buffersink"))
    graph.configure()
    given = []
    for item in (*frames, None):
        if item is not None:
            item.frame.pts, item.frame.time_base, item.frame.duration = item.pts, item.time_base, 40
        graph.vpush(item.frame if item is not None else None)
        while True:
            try:
                out = graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            given.append((int(out.to_ndarray()[0, 0]), round(out.pts * out.time_base * rate)))
    return given


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=0, max_size=12), st.integers(0, 9000), st.sampled_from(RATES))
def test_the_choice_is_ffmpeg_s_a_tick_later(steps: list[int], start: int, rate: Fraction) -> None:
    times = [start]
    for step in steps:
        times.append(times[-1] + step)
    frames = frames_of(times)
    ours = [
        (int(item.frame.to_ndarray()[0, 0]), item.pts)
        for item in at_constant_rate(frames, rate)
        if isinstance(item, DecodedFrame)
    ]
    theirs = by_ffmpeg(frames_of([time + 1 for time in times]), rate)
    assert ours == theirs or (not theirs and len(ours) == 1)


@pytest.mark.parametrize("rounding", [math.floor, round])
@pytest.mark.parametrize("rate", [24, 60, Fraction(60000, 1001), 50])
def test_at_half_the_rate_every_second_frame_is_shown(rate: Fraction, rounding: Callable[[Fraction], int]) -> None:
    frames = frames_of([rounding(1000 * index / Fraction(rate)) for index in range(240)])
    chosen = [
        int(item.frame.to_ndarray()[0, 0])
        for item in at_constant_rate(frames, Fraction(rate) / 2)
        if isinstance(item, DecodedFrame)
    ]
    assert chosen[:119] == list(range(0, 238, 2))


def test_a_broken_timestamp_behind_the_end_repeats_nothing() -> None:
    frames = frames_of([0, 40, 10**12])
    found = [
        item.pts
        for item in at_constant_rate(frames, Fraction(50), until=Fraction(1, 10))
        if isinstance(item, DecodedFrame)
    ]
    assert found[:5] == [0, 1, 2, 3, 4]
    assert len(found) < 10


def test_packets_pass() -> None:
    packets = [Packet(1, index) for index in range(3)]
    items = [item for pair in zip(packets, frames_of([0, 40, 80]), strict=True) for item in pair]
    assert [item for item in at_constant_rate(items, Fraction(50)) if isinstance(item, Packet)] == packets


@pytest.mark.parametrize(("rate", "num"), [("12", 12), ("24000/1001", 24), ("48", 48)])
def test_a_clip_is_given_another_rate(tmp_path, rate, num) -> None:
    path = factory.make_clip(tmp_path / "c.mp4", num_frames=24)
    with open_video(path, fps=rate) as reader:
        frames = [item for item in reader if isinstance(item, VideoFrame)]
    assert reader.info.average_rate == Fraction(rate)
    assert [frame.pts * frame.time_base for frame in frames] == [index / Fraction(rate) for index in range(num)]
    for index, frame in enumerate(frames[:-1]):
        shown = math.ceil((index + Fraction(1, 2)) * 24 / Fraction(rate)) - 1
        assert np.abs(frame.data.permute(1, 2, 0).numpy().astype(int) - factory.picture(shown)).mean() < 3


@pytest.mark.parametrize("name", ["c.mkv", "c.mp4"])
@pytest.mark.parametrize(("own", "rate"), [(24, "24"), (25, "24"), (25, "30"), (30, "24"), (24, "60")])
def test_every_picture_keeps_its_own_moment(tmp_path, name, own, rate) -> None:
    path = factory.make_clip(tmp_path / name, num_frames=20, rate=own)
    with open_video(path, fps=rate) as reader:
        frames = [item for item in reader if isinstance(item, VideoFrame)]
        moments = reader.frame_seconds()
        found = [bisect_right(moments, reader.clip_seconds(frame)) - 1 for frame in frames]  # as mattes and shots do
    wrong = [
        np.abs(frame.data.permute(1, 2, 0).numpy().astype(int) - factory.picture(index)).mean()
        for frame, index in zip(frames, found, strict=True)
    ]
    assert max(wrong) < 3


def test_a_picture_that_is_shown_again_is_shown_at_that_moment(tmp_path) -> None:
    """Settings that change while a picture is held change then, not with the next picture."""
    path = factory.make_clip(tmp_path / "held.mkv", pts=[0, 1000, 5000, 6000], time_base=factory.MS, num_frames=4)
    with open_video(path, fps="2") as reader:
        frames = [item for item in reader if isinstance(item, VideoFrame)]
        moments = [reader.clip_seconds(frame) for frame in frames]
    assert moments[:12] == [Fraction(index, 2) for index in range(12)]


def test_a_part_is_cut_from_the_same_frames(tmp_path) -> None:
    path = factory.make_clip(tmp_path / "c.mkv", pts=factory.VFR_PTS_MS, time_base=factory.MS)
    with open_video(path, fps="30") as reader:
        whole = [item for item in reader if isinstance(item, VideoFrame)]
    with open_video(path, fps="30", start_seconds=0.3, end_seconds=0.6, warmup_frames=3) as reader:
        part = [item for item in reader if isinstance(item, VideoFrame)]
    assert [frame.pts for frame in part] == list(range(-3, 9))
    assert all(a.data.equal(b.data) for a, b in zip(part, whole[6:], strict=False))


@pytest.mark.parametrize("rate", ["0", "fast", "1001"])
def test_rates_that_cannot_be_are_refused(clip_mp4, rate) -> None:
    with pytest.raises(ConfigError, match="rate"):
        open_video(clip_mp4, fps=rate)
