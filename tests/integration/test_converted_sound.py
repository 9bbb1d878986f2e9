"""Converted sound is heard when it was heard before: chirps, found again by correlation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import media_factory as factory
import numpy as np
import pytest

from vidstyle.media import open_video

RATE = 48000
NUM_FRAMES = 25  # of 40 ms, which Matroska can say exactly
_ENCODERS = {"opus": "libopus"}
_MIXED_RATE = 44100


def chirps(num_samples: int, rate: int = RATE) -> np.ndarray:
    """(samples,) float32: sweeps that begin at 0, 0.31 and 0.67 s; each place is like no other."""
    t = np.arange(round(0.12 * rate)) / rate
    sweep = 0.6 * np.hanning(len(t)) * np.sin(2 * np.pi * (300 * t + 24000 * t**2))
    samples = np.zeros(num_samples + len(sweep))
    for begin in (0.0, 0.31, 0.67):
        at = round(begin * rate)
        if at < num_samples:
            samples[at : at + len(sweep)] += sweep
    return samples[:num_samples].astype(np.float32)


def make_clip(path: Path, codec: str, rate: int = RATE, gap_seconds: float = 0.0, overlap_seconds: float = 0.0) -> Path:
    """A second of chirps; ``gap_seconds`` are missing after a half, and each piece reaches into the next one."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libvpx-vp9" if path.suffix == ".webm" else "libx264", rate=25)
        video.width, video.height = 64, 48
        video.options = {"deadline": "realtime", "cpu-used": "8"} if path.suffix == ".webm" else {"preset": "ultrafast"}
        sound: Any = output.add_stream(
            _ENCODERS.get(codec, codec), rate=rate, options={"strict": "-2"} if codec == "vorbis" else {}
        )
        sound.layout = "mono" if codec != "vorbis" else "stereo"  # FFmpeg's encoder of Vorbis knows nothing else
        samples, piece = chirps(rate, rate), rate // NUM_FRAMES
        for index in range(NUM_FRAMES):
            picture = av.VideoFrame.from_ndarray(factory.picture(index))
            picture.pts = index
            output.mux(video.encode(picture))
            if 0.5 <= index / NUM_FRAMES < 0.5 + gap_seconds:
                continue
            part = samples[index * piece : (index + 1) * piece + round(overlap_seconds * rate)]
            frame = av.AudioFrame.from_ndarray(
                np.stack([part] * sound.channels), format="fltp", layout=sound.layout.name
            )
            frame.sample_rate, frame.pts, frame.time_base = rate, index * piece, Fraction(1, rate)
            output.mux(sound.encode(frame))
        for stream in (video, sound):
            output.mux(stream.encode(None))
    return path


def convert(source: Path, output: Path) -> None:
    options: dict[str, Any] = (
        {"encoder_options": {"deadline": "realtime", "cpu-used": "8"}}
        if output.suffix == ".webm"
        else {"codec": "libx264", "preset": "ultrafast"}
    )
    with open_video(source) as reader, factory.open_output(output, reader, audio="transcode", **options) as writer:
        for item in reader:
            writer.write(item)
        writer.commit()


def heard(path: Path) -> tuple[float, np.ndarray, int, float]:
    """(seconds from the first frame to the first sample, samples, rate, largest gap between stamps in seconds)."""
    with av.open(str(path)) as container:
        first = next(container.decode(video=0))
        origin = first.pts * first.time_base
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    begins = [frame.pts * frame.time_base for frame in frames]
    ends = [begin + Fraction(frame.samples, frame.rate) for begin, frame in zip(begins, frames, strict=True)]
    gap = max(abs(begin - end) for begin, end in zip(begins[1:], ends, strict=False))
    parts = []
    for frame in frames:
        array = frame.to_ndarray()
        part = array[0] if frame.format.is_planar else array[0, :: frame.layout.nb_channels]
        parts.append(part / (1 if part.dtype.kind == "f" else np.iinfo(part.dtype).max))
    return float(begins[0] - origin), np.concatenate(parts), frames[0].rate, float(gap)


def lateness_seconds(path: Path) -> float:
    """How much later than in ``chirps`` the sound is heard."""
    begin, samples, rate, _ = heard(path)
    wanted = chirps(rate, rate)
    size = 1 << int(np.ceil(np.log2(len(wanted) + len(samples))))
    found = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(wanted, size)), size)
    best = int(np.argmax(found))
    assert found[best] > 0.9 * float(wanted @ wanted)
    return begin + (best - size if best > size // 2 else best) / rate


@pytest.mark.parametrize(
    ("source", "codec", "rate", "outputs"),
    [
        ("c.webm", "opus", RATE, ("mp4", "mov")),
        ("c.webm", "vorbis", RATE, ("mp4", "mov", "mkv")),
        ("c.mkv", "pcm_s16le", _MIXED_RATE, ("mp4", "webm")),
        ("c.mkv", "mp2", RATE, ("mp4", "mkv")),
        ("c.mp4", "aac", _MIXED_RATE, ("mov", "mkv")),
    ],
)
def test_sound_stays_in_step(tmp_path: Path, source: str, codec: str, rate: int, outputs: tuple[str, ...]) -> None:
    clip = make_clip(tmp_path / source, codec, rate)
    for suffix in outputs:
        output = tmp_path / f"out.{suffix}"
        convert(clip, output)

        tick = 0.001 if suffix in ("mkv", "webm") else 0.0
        assert abs(lateness_seconds(output)) <= tick + 1 / rate, suffix
        assert heard(output)[3] <= tick, suffix


def test_missing_sound_is_silence(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "c.mkv", "pcm_s16le", gap_seconds=0.1)

    convert(clip, tmp_path / "out.mp4")

    begin, samples, _, gap = heard(tmp_path / "out.mp4")
    assert (begin, gap) == (0.0, 0.0)
    assert len(samples) >= RATE  # what comes after it is where it was
    assert abs(lateness_seconds(tmp_path / "out.mp4")) <= 1 / RATE
    assert np.abs(samples[round(0.53 * RATE) : round(0.59 * RATE)]).max() < 0.01


def test_overlapping_sound_is_heard_once(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "c.mkv", "pcm_s16le", overlap_seconds=0.1)

    convert(clip, tmp_path / "out.mkv")

    assert abs(lateness_seconds(tmp_path / "out.mkv")) <= 0.001 + 1 / RATE
    assert len(heard(tmp_path / "out.mkv")[1]) == pytest.approx(RATE, abs=0.05 * RATE)  # less is no overlap
