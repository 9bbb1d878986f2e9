"""Cutting uncompressed sound to the sample."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import media_factory as factory
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.media.pcm import packet_from, packet_until


def first_packet(path: Path) -> tuple[av.container.InputContainer, av.Packet]:
    container = av.open(str(path))
    return container, next(packet for packet in container.demux(audio=0) if packet.size)


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pcm") / "stereo.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48000, layout="stereo")
        samples = np.arange(2 * 8000, dtype=np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = 48000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@given(st.fractions(0, Fraction(1, 10)))
def test_what_is_left_begins_at_the_moment(wav: Path, moment: Fraction) -> None:
    container, packet = first_packet(wav)
    with container:
        whole = np.frombuffer(bytes(packet), np.int16)
        tail = packet_from(packet, moment)
        skipped = -(-moment * 48000 // 1)  # the first sample at or after the moment
        if skipped >= len(whole) // 2:
            assert tail is None
            return
        assert tail is not None
        assert (np.frombuffer(bytes(tail), np.int16) == whole[2 * skipped :]).all()
        assert tail.pts * tail.time_base == Fraction(skipped, 48000)
        assert tail.duration * tail.time_base == Fraction(len(whole) // 2 - skipped, 48000)
        assert tail.stream is packet.stream


@given(st.fractions(Fraction(1, 10**6), Fraction(1, 10)))
def test_what_comes_before_a_moment_and_what_is_left_are_the_whole(wav: Path, moment: Fraction) -> None:
    container, packet = first_packet(wav)
    with container:
        head, tail = packet_until(packet, moment), packet_from(packet, moment)
        assert bytes(head) + (bytes(tail) if tail is not None else b"") == bytes(packet)
        assert head.pts == packet.pts
        assert head.duration + (tail.duration if tail is not None else 0) == packet.duration
        assert head.stream is packet.stream


def test_compressed_sound_cannot_be_cut(tmp_path: Path) -> None:
    container, packet = first_packet(factory.make_clip(tmp_path / "c.mp4", audio="aac"))
    with container:
        assert packet_from(packet, Fraction(packet.pts * packet.time_base) + Fraction(1, 1000)) is None
        assert packet_until(packet, Fraction(packet.pts * packet.time_base) + Fraction(1, 1000)) is packet


@pytest.mark.parametrize("name", ["c.mov", "c.mkv"])
def test_the_sound_of_a_cut_begins_with_its_first_frame(tmp_path: Path, name: str) -> None:
    import vidstyle

    source = factory.make_clip(tmp_path / name, num_frames=30, audio="pcm_s16le")
    output = tmp_path / f"cut-{name}"
    vidstyle.stylize(source, output, style="identity", start_seconds=0.5, consistency=0.0)
    with av.open(str(source)) as container:
        whole = np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])
        rate, channels = container.streams.audio[0].rate, container.streams.audio[0].codec_context.layout.nb_channels
    with av.open(str(output)) as container:
        frame = next(container.decode(audio=0))
    tick = Fraction(1, 1000) if name.endswith("mkv") else Fraction(1, rate)
    assert frame.pts * frame.time_base <= tick
    heard = frame.to_ndarray().reshape(-1)
    begin = channels * rate // 2
    off = 0 if name.endswith("mov") else channels * round(rate * tick)
    starts = range(begin - off, begin + off + 1, channels)
    assert any((heard == whole[start : start + len(heard)]).all() for start in starts)


def samples(path: Path) -> np.ndarray:
    """Of all channels, one after another."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])


def make_clip(folder: Path, name: str, num_samples: int, **options: Any) -> Path:
    """A clip with PCM in packets of so many samples."""
    made = factory.make_clip(folder / f"made-{name}", audio="pcm_s16le", **options)
    pcm = samples(made).tobytes()
    with av.open(str(made)) as read, av.open(str(folder / name), "w") as write:
        video, sound = (write.add_stream_from_template(each[0]) for each in (read.streams.video, read.streams.audio))
        packets = [packet for packet in read.demux(video=0) if packet.size]
        for packet in packets:
            packet.stream = video
        step = 2 * sound.codec_context.layout.nb_channels * num_samples
        for number, begin in enumerate(range(0, len(pcm), step)):
            packet = av.Packet(pcm[begin : begin + step])
            packet.stream, packet.time_base = sound, Fraction(1, sound.codec_context.sample_rate)
            packet.pts = packet.dts = number * num_samples
            packets.append(packet)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            write.mux(packet)
    return folder / name


@pytest.mark.parametrize("name", ["c.mov", "c.mkv"])
@pytest.mark.parametrize("num_samples", [1024, 48000])
@pytest.mark.parametrize("cut_seconds", [0.5, 0.49, 0.03, 0.96], ids=["at a frame", "within one", "first", "last"])
def test_the_sound_of_parts_joins_to_the_whole(tmp_path: Path, name: str, num_samples: int, cut_seconds: float) -> None:
    import vidstyle

    source = make_clip(tmp_path, name, num_samples, num_frames=25)
    first, rest = tmp_path / f"first-{name}", tmp_path / f"rest-{name}"
    vidstyle.stylize(source, first, style="identity", end_seconds=cut_seconds, consistency=0.0)
    vidstyle.stylize(source, rest, style="identity", start_seconds=cut_seconds, consistency=0.0)
    joined, whole = np.concatenate([samples(first), samples(rest)]), samples(source)
    # Matroska rounds times of frames to milliseconds.
    slack = 0 if name.endswith("mov") else 2 * 48
    assert abs(len(joined) - len(whole)) <= slack
    num = len(samples(first))
    assert (joined[:num] == whole[:num]).all()


@pytest.mark.parametrize("name", ["c.mov", "c.mkv"])
def test_the_sound_of_frames_that_last_unevenly_ends_with_them(tmp_path: Path, name: str) -> None:
    import vidstyle

    times = [0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    source = make_clip(tmp_path, name, 1024, num_frames=12, pts=times)
    with av.open(str(source)) as container:
        a_frame = container.streams.audio[0].rate * container.streams.audio[0].codec_context.layout.nb_channels // 24
    for frames, num_ticks in (("0-2", 5), ("3-6", 4)):
        part = tmp_path / f"{frames}-{name}"
        vidstyle.stylize(source, part, style="identity", frames=frames, consistency=0.0)
        slack = 0 if name.endswith("mov") else a_frame * 24 // 1000
        assert abs(len(samples(part)) - num_ticks * a_frame) <= slack
