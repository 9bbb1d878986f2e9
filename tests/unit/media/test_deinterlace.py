"""Interlaced clips: refused, unless they are to be deinterlaced."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import media_factory as factory
import numpy as np
import pytest

from vidstyle.errors import UnsupportedMediaError
from vidstyle.frames import VideoFrame
from vidstyle.media import open_video, probe_video

INTERLACED = {
    "mpeg2.mkv": {"codec": "mpeg2video", "options": {"flags": "+ilme+ildct"}},
    "h264.mp4": {"options": {"preset": "ultrafast", "x264-params": "tff=1"}},
    "h264.avi": {"codec": "libx264", "options": {"preset": "fast", "x264-params": "bff=1"}},
}


def combed(path: Path, num_frames: int = 10) -> Path:
    """A bar that moves 4 pixels between the fields of a frame: 25 interlaced frames a second."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"x264-params": "tff=1", "preset": "fast", "crf": "5"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for index in range(num_frames):
            picture = np.full((64, 96, 3), 40, np.uint8)
            for field in (0, 1):
                left = 10 + 8 * index + 4 * field
                picture[field::2, left : left + 16 - left % 2] = 210
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode(None))
    return path


def combing(frame: VideoFrame) -> float:
    """How much neighbouring lines differ."""
    data = frame.data.float()
    return float((data[:, 1:] - data[:, :-1]).abs().mean())


@pytest.mark.parametrize("name", INTERLACED)
def test_interlaced_clips_are_refused_by_name_of_the_way_out(tmp_path: Path, name: str) -> None:
    path = factory.make_clip(tmp_path / name, num_frames=4, **INTERLACED[name])
    assert probe_video(path).is_interlaced
    with pytest.raises(UnsupportedMediaError, match=r"interlaced.*--deinterlace"):
        open_video(path)


@pytest.mark.parametrize("name", INTERLACED)
def test_one_frame_a_frame_comes_out_at_its_time(tmp_path: Path, name: str) -> None:
    path = factory.make_clip(tmp_path / name, num_frames=10, **INTERLACED[name])
    with open_video(path, deinterlace=True) as reader:
        frames = [item for item in reader if isinstance(item, VideoFrame)]
    tick = Fraction(1, 1000) if name.endswith("mkv") else Fraction(0)
    assert len(frames) == 10
    assert not reader.info.is_interlaced
    for index, frame in enumerate(frames):
        assert abs(frame.pts * frame.time_base - Fraction(index, 24)) <= tick / 2
        error = frame.data.permute(1, 2, 0).numpy().astype(int) - factory.picture(index)
        assert np.abs(error).mean() < 12


def test_combs_go(tmp_path: Path) -> None:
    path = combed(tmp_path / "combed.mkv")
    with open_video(path, deinterlace=True) as reader:
        whole = [item for item in reader if isinstance(item, VideoFrame)]
    lines = [float(np.abs(np.diff(picture.astype(int), axis=0)).mean()) for picture in factory.rgb_frames(path)]
    assert all(combing(frame) < 0.5 * stored_lines for frame, stored_lines in zip(whole[1:], lines[1:], strict=True))
    # A part is made of the same pictures: the filter sees the frame before it.
    with open_video(path, deinterlace=True, frames="5-7") as reader:
        part = [item for item in reader if isinstance(item, VideoFrame)]
    assert [a.data.equal(b.data) for a, b in zip(part, whole[5:8], strict=True)] == [True] * 3


@pytest.mark.parametrize(("order", "earlier"), [("tt", 0), ("bb", 1)])
def test_the_header_s_order_of_fields_counts_where_frames_have_none(tmp_path: Path, order: str, earlier: int) -> None:
    path = tmp_path / "header.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25, options={"field_order": order})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv422p"
        for index in range(6):
            picture = np.full((64, 96, 3), 40, np.uint8)
            for moment in (0, 1):  # a bar that moves 4 pixels from field to field
                left = 8 + 4 * (2 * index + moment)
                picture[(earlier + moment) % 2 :: 2, left : left + 16] = 210
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode(None))
    with open_video(path, deinterlace=True) as reader:
        frames = [item for item in reader if isinstance(item, VideoFrame)]
    for index, frame in list(enumerate(frames))[2:]:
        for row in (31, 32):
            assert abs(int((frame.data[0, row] > 128).nonzero()[0]) - (8 + 8 * index)) <= 1


def test_progressive_clips_pass_unchanged(clip_mp4: Path) -> None:
    def frames(**options) -> list[VideoFrame]:
        with open_video(clip_mp4, **options) as reader:
            return [item for item in reader if isinstance(item, VideoFrame)]

    assert not probe_video(clip_mp4).is_interlaced
    assert all(a.data.equal(b.data) for a, b in zip(frames(), frames(deinterlace=True), strict=True))


def test_interlaced_frames_in_a_progressive_clip_are_told(tmp_path: Path) -> None:
    parts = [
        factory.make_clip(tmp_path / "a.h264", num_frames=4, format_name="h264"),
        factory.make_clip(tmp_path / "b.h264", num_frames=4, format_name="h264", options={"x264-params": "tff=1"}),
    ]
    path = tmp_path / "c.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_video(path) as reader:
        assert len([item for item in reader if isinstance(item, VideoFrame)]) == 8
    assert [
        note for note in reader.warnings if "has interlaced frames, first at 0.1" in note and "--deinterlace" in note
    ]
