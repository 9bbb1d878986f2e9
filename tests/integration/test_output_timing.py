"""Times on the way out: exact in MP4 and MOV, to half a tick in Matroska, sound in step, no frame cut short."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import media_factory as factory
import pytest

import vidstyle
from vidstyle.frames import VideoFrame
from vidstyle.media import open_video

CONTAINERS = ("mp4", "mov", "mkv", "webm")
HALF_TICK = {"mp4": 0, "mov": 0, "mkv": Fraction(1, 2000), "webm": Fraction(1, 2000)}
VFR_MS = (*factory.VFR_PTS_MS, 1400)


def copy(source: Path, output: Path, **options: Any) -> None:
    with open_video(source) as reader, factory.open_output(output, reader, **options) as writer:
        for item in reader:
            writer.write(item)
        writer.commit()


def times(path: Path) -> list[Fraction]:
    with open_video(path) as reader:
        return [f.pts * f.time_base for f in reader if isinstance(f, VideoFrame)]


def first_sound(path: Path) -> Fraction:
    """When the first packet of sound starts; run-in included."""
    with av.open(str(path)) as container:
        packet = next(p for p in container.demux(audio=0) if p.size)
        return packet.pts * packet.time_base


def seconds_long(path: Path) -> float:
    with av.open(str(path)) as container:
        return container.duration / 1e6


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("pts", "time_base", "rate"),
    [
        ([7777 + 3000 * i for i in range(10)], Fraction(1, 90000), Fraction(30)),
        ([7777 + 3753 * i + i % 3 for i in range(10)], Fraction(1, 90000), Fraction(24)),
        ([1001 * i for i in range(20)], Fraction(1, 24000), Fraction(24000, 1001)),
        ([1001 * i + 5005 for i in range(20)], Fraction(1, 60000), Fraction(60000, 1001)),
        ([512 * i for i in range(20)], Fraction(1, 25600), Fraction(50)),
        (VFR_MS, factory.MS, Fraction(25)),
    ],
    ids=["late", "late and uneven", "23.976", "59.94", "50", "uneven"],
)
def test_frame_times(tmp_path: Path, container: str, pts: list[int], time_base: Fraction, rate: Fraction) -> None:
    source = factory.make_clip(tmp_path / "in.mp4", pts=pts, time_base=time_base, rate=rate)
    assert times(source) == [tick * time_base for tick in pts]

    copy(source, tmp_path / f"out.{container}")

    got = times(tmp_path / f"out.{container}")
    assert len(got) == len(pts)
    assert all(abs(b - tick * time_base) <= HALF_TICK[container] for tick, b in zip(pts, got, strict=True))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("codec", "start_seconds"), [("aac", 0.0), ("aac", 0.5), ("libmp3lame", 0.0), ("ac3", 0.0), ("alac", 0.0)]
)
def test_sound_stays_in_step_with_frames_that_keep_their_times(
    tmp_path: Path, container: str, codec: str, start_seconds: float
) -> None:
    # The run-in of the sound's encoder lies before 0, where Matroska has no time of its own accord.
    source = factory.make_clip(tmp_path / "in.mp4", audio=codec, num_frames=24, audio_start_seconds=start_seconds)

    copy(source, tmp_path / f"out.{container}")

    assert times(tmp_path / f"out.{container}")[0] == 0
    if container != "webm":  # where sound is converted, with a run-in of its own
        assert abs(first_sound(tmp_path / f"out.{container}") - first_sound(source)) <= Fraction(1, 1000)
    # The run-in may be decoded too: it comes before, and what follows stays where it was.
    (num_theirs, theirs), (num_ours, ours) = map(factory.audio_samples, (source, tmp_path / f"out.{container}"))
    assert theirs - 0.035 < ours < theirs + 0.002
    assert ours + num_ours / 48000 == pytest.approx(theirs + num_theirs / 48000, abs=0.035)


@pytest.mark.parametrize("source", ["in.mkv", "in.mp4", "in.mov"])
def test_no_sound_of_the_end_is_lost(tmp_path: Path, source: str) -> None:
    # Matroska does not say how long a packet of ALAC lasts.
    clip = factory.make_clip(tmp_path / source, audio="alac", num_frames=24)

    copy(clip, tmp_path / "out.mp4")

    assert factory.audio_samples(tmp_path / "out.mp4")[0] == 48000


@pytest.mark.parametrize(
    ("codec", "options", "container", "tolerance"),
    [
        ("libx264", {"bf": "0"}, "mp4", 0.001),
        # Frames in another order than they are shown: the sum of their lengths in the file falls short a little.
        ("libx264", {}, "mp4", 0.03),
        ("libx265", {}, "mp4", 0.03),
        ("libx264", {}, "mkv", 0.001),
        ("libsvtav1", {}, "mkv", 0.001),
        ("libsvtav1", {}, "mp4", 0.001),
        ("prores_ks", {}, "mov", 0.001),
        ("libvpx-vp9", {}, "webm", 0.001),
    ],
)
def test_the_last_frame_is_shown_as_long_as_it_was(
    tmp_path: Path, codec: str, options: dict[str, str], container: str, tolerance: float
) -> None:
    source = factory.make_clip(tmp_path / "in.mkv", pts=VFR_MS, time_base=factory.MS, rate=5)
    assert seconds_long(source) == pytest.approx(1.6)

    copy(source, tmp_path / f"out.{container}", codec=codec, encoder_options=options)

    assert seconds_long(tmp_path / f"out.{container}") == pytest.approx(1.6, abs=tolerance)


@pytest.mark.parametrize(("end", "length"), [(1.0, 1.0), (0.5, 0.5), (2.05, 2.125), (None, 2.25)])
def test_a_long_frame_ends_with_the_range_and_an_ordinary_one_keeps_its_length(
    tmp_path: Path, end: float | None, length: float
) -> None:
    # As in a recording of a screen: two seconds of stillness, then movement.
    clip = factory.make_clip(tmp_path / "in.mp4", pts=[0, 48, 51, 54], rate=24)
    done = tmp_path / "out.mp4"
    report = vidstyle.stylize(clip, done, style="identity", end_seconds=end, device="cpu")
    assert seconds_long(done) == pytest.approx(length, abs=0.05)
    assert report.num_frames == sum(second < (end or 9) for second in (0, 2, 2.125, 2.25))


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("num_frames", [1, 2, 5, 30])
def test_an_even_clip_is_as_long_as_its_frames(tmp_path: Path, codec: str, container: str, num_frames: int) -> None:
    source = factory.make_clip(tmp_path / "in.mp4", num_frames=num_frames, rate=25)

    copy(source, tmp_path / f"out.{container}", codec=codec)

    assert seconds_long(tmp_path / f"out.{container}") == pytest.approx(num_frames / 25, abs=0.0011)


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_the_index_comes_first(tmp_path: Path, clip_mp4: Path, container: str) -> None:
    copy(clip_mp4, tmp_path / f"out.{container}")

    data = (tmp_path / f"out.{container}").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("name", ["in.avi", "in.h264"])
def test_sources_without_times(tmp_path: Path, name: str, container: str) -> None:
    clip = factory.make_clip(tmp_path / "c.mkv", num_frames=12, rate=25)
    source = tmp_path / name
    if name.endswith("avi"):
        factory.make_clip(source, num_frames=12, rate=25)
    else:
        raw_stream(clip, source)

    copy(source, tmp_path / f"out.{container}")

    assert times(tmp_path / f"out.{container}") == [Fraction(i, 25) for i in range(12)]


def raw_stream(clip: Path, path: Path) -> None:
    with av.open(str(clip)) as source, av.open(str(path), "w", format="h264") as output:
        stream = source.streams.video[0]
        target = output.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = target
                output.mux_one(packet)
