"""Material nobody expects: a correct result or one clear sentence, soon and without filling the memory."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import media_factory as factory
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from vidstyle.errors import ConfigError, DecodeError, OpenError, UnsupportedMediaError, VidstyleError
from vidstyle.frames import VideoFrame
from vidstyle.media import open_video, probe_video


def read(path: Path, **options) -> tuple[list[VideoFrame], list[str]]:
    with open_video(path, **options) as reader:
        return [item for item in reader if isinstance(item, VideoFrame)], reader.warnings


def times(frames: list[VideoFrame]) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in frames]


def png(width: int, height: int) -> bytes:
    """A black picture of one bit a pixel: a few bytes for any size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    line = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def packets_as_clip(path: Path, codec: str, data: bytes, num: int = 2) -> Path:
    """A clip that says it is 64x48, of packets that may say something else."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "rgb24"
        container.start_encoding()
        for index in range(num):
            packet = av.Packet(data)
            packet.pts = packet.dts = index
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 24), video, True
            container.mux(packet)
    return path


def gif(path: Path, side: int) -> Path:
    Image.new("P", (64, 48)).save(path, save_all=True, append_images=[Image.new("P", (64, 48), 3)])
    data = bytearray(path.read_bytes())
    data[6:10] = struct.pack("<HH", side, side)
    path.write_bytes(data)
    return path


def avi(path: Path, side: int) -> Path:
    factory.make_clip(path, codec="ffv1", num_frames=2)
    data = bytearray(path.read_bytes())
    at = data.index(b"strf") + 12
    data[at : at + 8] = struct.pack("<II", side, side)
    path.write_bytes(data)
    return path


BOMBS = {
    "png 16384": lambda folder: packets_as_clip(folder / "bomb.mov", "png", png(16384, 16384)),
    "png 30000": lambda folder: packets_as_clip(folder / "bomb.mov", "png", png(30000, 30000)),
    "gif 16384": lambda folder: gif(folder / "bomb.gif", 16384),
    "gif 65535": lambda folder: gif(folder / "bomb.gif", 65535),
    "avi 16384": lambda folder: avi(folder / "bomb.avi", 16384),
    "avi 30000": lambda folder: avi(folder / "bomb.avi", 30000),
}


def peak_bytes() -> int:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


@pytest.mark.parametrize("name", BOMBS)
def test_a_tiny_file_does_not_fill_the_memory(tmp_path: Path, name: str) -> None:
    path = BOMBS[name](tmp_path)
    assert path.stat().st_size < 400_000
    clear = Path("/proc/self/clear_refs")
    clear.write_text("5")
    before = peak_bytes()
    with pytest.raises((DecodeError, UnsupportedMediaError), match="8192x4608"):
        read(path)
    with pytest.raises((DecodeError, UnsupportedMediaError)):
        read(path, on_error="skip")
    assert peak_bytes() - before < 300 * 1024**2


def test_a_picture_that_grows_on_the_way_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "grows.mov"
    with av.open(str(path), "w") as container:
        video = container.add_stream("png", rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "rgb24"
        container.start_encoding()
        for index, data in enumerate((png(64, 48), png(16384, 16384), png(64, 48))):
            packet = av.Packet(data)
            packet.pts = packet.dts = index
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 24), video, True
            container.mux(packet)
    with pytest.raises(DecodeError, match="damaged"):
        read(path)
    frames, notes = read(path, on_error="skip")
    assert times(frames) == [Fraction(index, 24) for index in range(3)]
    assert any("lost, and a good one beside stands in" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("one.mkv", (1, 1), {"codec": "ffv1", "pixel_format": "bgr0"}),
        ("one.mp4", (1, 1), {"pixel_format": "yuv444p"}),
        ("wide.mkv", (16384, 16), {}),
        ("tall.mkv", (16, 16384), {}),
        ("flat.mkv", (16384, 1), {"codec": "ffv1", "pixel_format": "bgr0"}),
    ],
)
def test_odd_sizes_are_read_and_written(vidstyle, tmp_path: Path, name: str, size, options) -> None:
    path = factory.make_clip(tmp_path / name, num_frames=2, size=size, **options)
    frames, _ = read(path)
    assert [tuple(frame.data.shape) for frame in frames] == [(3, size[1], size[0])] * 2
    error = frames[0].data.permute(1, 2, 0).numpy().astype(int) - factory.picture(0, *size)
    assert np.abs(error).mean() < 8
    output = tmp_path / "out.mkv"
    done = vidstyle("stylize", path, output, "--style", "identity", "--codec", "ffv1", "--consistency", "0")
    assert done.exit_code == 0, done.stderr
    assert probe_video(output).upright_size == size


@pytest.mark.parametrize(
    ("name", "rate", "num"),
    [("slow.mp4", Fraction(1, 1000), 3), ("fast.mp4", 100_000, 30), ("fast.mov", 120_000, 30), ("fast.avi", 1000, 30)],
)
def test_absurd_rates_keep_their_times(vidstyle, tmp_path: Path, name: str, rate, num: int) -> None:
    path = factory.make_clip(tmp_path / name, rate=rate, num_frames=num)
    frames, _ = read(path)
    assert times(frames) == [index / Fraction(rate) for index in range(num)]
    output = tmp_path / f"out{path.suffix if path.suffix != '.avi' else '.mp4'}"
    done = vidstyle("stylize", path, output, "--style", "identity")
    assert done.exit_code == 0, done.stderr
    assert times(read(output)[0]) == times(frames)


def test_a_size_that_changes_in_the_middle_is_scaled(tmp_path: Path) -> None:
    sizes = ((64, 48), (96, 64), (32, 32), (64, 48))
    parts = [
        factory.make_clip(tmp_path / f"{index}.h264", size=size, num_frames=4, format_name="h264")
        for index, size in enumerate(sizes)
    ]
    path = tmp_path / "changing.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, notes = read(path)
    assert [tuple(frame.data.shape) for frame in frames] == [(3, 48, 64)] * 16
    assert len([note for note in notes if "changes its size, first at" in note]) == 1
    # Smooth gradients look the same at any size.
    for index in (0, 5, 9, 15):
        error = frames[index].data.permute(1, 2, 0).numpy().astype(int) - factory.picture(index % 4)
        assert np.abs(error).mean() < 6


@pytest.mark.parametrize("name", ["c.ts", "c.mpg"])
def test_streams_that_begin_late_and_lack_timestamps(tmp_path: Path, name: str) -> None:
    path = factory.make_clip(
        tmp_path / name, codec="mpeg2video", rate=25, num_frames=30, format_name={"c.mpg": "mpeg"}.get(name)
    )
    frames, _ = read(path)
    first = times(frames)[0]
    assert [time - first for time in times(frames)] == [Fraction(index, 25) for index in range(len(frames))]
    assert len(frames) == 30


def test_missing_timestamps_are_repaired(tmp_path: Path) -> None:
    """A picture stream whose packets carry no time in MPEG-TS: the demuxer gives None."""
    elementary = factory.make_clip(tmp_path / "c.h264", rate=25, num_frames=12, format_name="h264")
    frames, _ = read(elementary)
    assert times(frames) == [Fraction(index, 25) for index in range(12)]


@pytest.mark.parametrize("preset", ["ultrafast", "fast"])  # without and with reordered frames
def test_single_missing_timestamps_are_repaired(tmp_path: Path, preset: str) -> None:
    whole = factory.make_clip(tmp_path / "c.ts", num_frames=12, options={"preset": preset})
    data, header = bytearray(whole.read_bytes()), -1
    for number in range(12):
        header = data.index(b"\0\0\1\xe0", header + 1)  # of a PES packet of video
        if number in (3, 4, 8):
            data[header + 7] &= 0x3F  # says that no timestamps follow
            data[header + 9 : header + 9 + data[header + 8]] = b"\xff" * data[header + 8]
    (tmp_path / "holes.ts").write_bytes(data)
    with av.open(str(tmp_path / "holes.ts")) as container:
        assert sum(packet.pts is None for packet in container.demux(video=0) if packet.size) == 3

    frames, warnings = read(tmp_path / "holes.ts")

    assert times(frames) == times(read(whole)[0])
    assert any("missing or repeated timestamps" in sentence for sentence in warnings)


def camera_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x0110] = "a camera"
    buffer = io.BytesIO()
    Image.fromarray(factory.picture(0)).save(buffer, "JPEG", exif=exif, quality=95)
    return buffer.getvalue()


def add_jpegs(output: av.container.OutputContainer, transfer: int = 1) -> av.VideoStream:
    video = output.add_stream("mjpeg", rate=24)
    video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
    video.codec_context.color_trc = transfer
    video.codec_context.color_primaries = video.codec_context.colorspace = 9 if transfer != 1 else 1
    return video


def mux_jpegs(output: av.container.OutputContainer, video: av.VideoStream, num_frames: int) -> None:
    for index in range(num_frames):
        packet = av.Packet(camera_jpeg())
        packet.stream, packet.pts, packet.dts, packet.duration = video, index, index, 1
        packet.time_base, packet.is_keyframe = Fraction(1, 24), True
        output.mux(packet)


@pytest.mark.parametrize("transfer", [1, 16, 18])  # BT.709, PQ, HLG
def test_exif_beside_the_frames(tmp_path: Path, transfer: int) -> None:
    """PyAV has no name for Exif, and raises where anything beside such a frame is looked for."""
    path = tmp_path / "c.mov"
    with av.open(str(path), "w") as output:
        mux_jpegs(output, add_jpegs(output, transfer), 3)

    frames, warnings = read(path)

    assert len(frames) == 3
    assert any("HDR" in sentence for sentence in warnings) == (transfer != 1)
    if transfer == 1:
        error = frames[0].data.permute(1, 2, 0).numpy().astype(int) - factory.picture(0)
        assert np.abs(error).mean() < 4


def test_a_cover_that_is_the_only_picture_is_painted(vidstyle, tmp_path: Path) -> None:
    path = tmp_path / "song.mkv"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("aac", rate=48000)
        sound.layout = "stereo"
        video = add_jpegs(output)
        video.disposition = Disposition.attached_pic
        mux_jpegs(output, video, 1)
        silence = av.AudioFrame.from_ndarray(factory.tone(0, 24000), format="fltp", layout="stereo")
        silence.sample_rate, silence.pts, silence.time_base = 48000, 0, Fraction(1, 48000)
        output.mux(sound.encode(silence))
        output.mux(sound.encode(None))

    out = tmp_path / "out.mp4"
    assert vidstyle("stylize", path, out, "--style", "identity", "--device", "cpu").exit_code == 0

    with av.open(str(out)) as container:
        assert len(list(container.decode(video=0))) == 1
    assert factory.audio_packets(out) == factory.audio_packets(path)


def test_gaps_in_avi_stay_gaps(tmp_path: Path) -> None:
    shown = [0, 1, 2, 5, 6, 10, 11]
    path = factory.make_clip(tmp_path / "gaps.avi", pts=shown, rate=25)
    assert times(read(path)[0]) == [Fraction(index, 25) for index in shown]


def test_hundreds_of_tiny_streams(vidstyle, tmp_path: Path) -> None:
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sounds = [container.add_stream("pcm_u8", rate=8000) for _ in range(500)]
        for sound in sounds:
            sound.layout = "mono"
        container.start_encoding()
        for index in range(4):
            container.mux(video.encode(av.VideoFrame.from_ndarray(factory.picture(index))))
        container.mux(video.encode(None))
        for sound in sounds:
            packet = av.Packet(bytes(80))
            packet.pts = packet.dts = 0
            packet.time_base, packet.stream = Fraction(1, 8000), sound
            container.mux(packet)
    output = tmp_path / "out.mkv"
    assert vidstyle("stylize", path, output, "--style", "identity").exit_code == 0
    with av.open(str(output)) as container:
        assert len(container.streams.audio) == 500
        assert container.streams.video[0].codec_context is not None


@pytest.mark.parametrize("name", ["pipe.mp4", "null.mp4"])
def test_what_may_never_end_is_not_opened(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "pipe.mp4":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(OpenError, match="not a regular file"):
        open_video(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{other}\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/dev/zero\n#EXT-X-ENDLIST\n"),
        ("net.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile other.mp4\n"),
        ("list.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"),
    ],
)
def test_a_file_that_names_others_is_no_clip(tmp_path: Path, name: str, text: str) -> None:
    other = factory.make_clip(tmp_path / "other.mp4", num_frames=2)
    path = tmp_path / name
    path.write_text(text.format(other=other))
    with pytest.raises(OpenError):
        open_video(path)


def two_pictures(path: Path, default: int | None, lengths: tuple[int, int] = (4, 4)) -> Path:
    """A clip with a bright and a dark picture stream."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=24, options={"preset": "ultrafast"}) for _ in range(2)]
        for index, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = 64 - 16 * index, 48, "yuv420p"
            stream.disposition = av.stream.Disposition.default if index == default else av.stream.Disposition(0)
        for value, stream, num_frames in zip((200, 50), streams, lengths, strict=True):
            for _ in range(num_frames):
                picture = np.full((stream.height, stream.width, 3), value, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("default", "number", "shown"), [(0, None, 200), (1, None, 50), (0, 1, 50), (1, 0, 200)])
def test_which_picture_is_painted(vidstyle, tmp_path: Path, default: int, number: int | None, shown: int) -> None:
    path = two_pictures(tmp_path / "two.mkv", default)
    frames, _ = read(path, video_stream=number)
    assert abs(float(frames[0].data.float().mean()) - shown) < 3
    arguments = () if number is None else ("--video-stream", number)
    assert vidstyle("stylize", path, tmp_path / "out.mkv", "--style", "identity", *arguments).exit_code == 0
    assert abs(float(read(tmp_path / "out.mkv")[0][0].data.float().mean()) - shown) < 3


@pytest.mark.parametrize("name", ["two.mkv", "two.mp4"])
def test_another_picture_that_goes_on_for_longer_is_no_damage(vidstyle, tmp_path: Path, name: str) -> None:
    path = two_pictures(tmp_path / name, default=0, lengths=(6, 60))
    done = vidstyle("stylize", path, tmp_path / f"out-{name}", "--style", "identity")
    assert done.exit_code == 0, done.stderr
    assert "breaks off" not in done.stdout + done.stderr
    assert len(read(tmp_path / f"out-{name}")[0]) == 6


def test_a_picture_stream_that_is_not_there(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one video stream, number 0, and no 3"):
        open_video(clip_mp4, video_stream=3)
    done = vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", "--style", "identity", "--video-stream", "1")
    assert done.exit_code == 2
    assert "vidstyle probe" in done.stderr


def test_damage_is_skipped_by_the_command(vidstyle, tmp_path: Path) -> None:
    path = factory.make_clip(tmp_path / "c.mp4", num_frames=72, audio="aac", options={"crf": "1"}, keyframe_interval=12)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = bytes(6000)
    path.write_bytes(data)
    arguments = ("stylize", path, tmp_path / "out.mp4", "--style", "identity")
    assert "--on-error skip" in vidstyle(*arguments).stderr
    done = vidstyle(*arguments, "--on-error", "skip")
    assert done.exit_code == 0, done.stderr
    assert "is damaged at 1." in done.stdout
    assert times(read(tmp_path / "out.mp4")[0]) == [Fraction(index, 24) for index in range(72)]


def test_interlaced_clips_by_the_command(vidstyle, tmp_path: Path) -> None:
    path = factory.make_clip(tmp_path / "c.mp4", num_frames=4, options={"x264-params": "tff=1"})
    arguments = ("stylize", path, tmp_path / "out.mp4", "--style", "identity")
    refused = vidstyle(*arguments)
    assert refused.exit_code == 1
    assert "--deinterlace" in refused.stderr
    assert vidstyle(*arguments, "--deinterlace").exit_code == 0
    assert not probe_video(tmp_path / "out.mp4").is_interlaced


def test_every_range_option_by_the_command(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    def num_frames(*arguments: object) -> int:
        done = vidstyle(
            "stylize", clip_mp4, tmp_path / "o.mp4", "--style", "identity", "-y", "--flow", "none", *arguments
        )
        assert done.exit_code == 0, done.stderr
        return len(read(tmp_path / "o.mp4")[0])

    assert num_frames("--frames", "10-19") == 10
    assert num_frames("--frames", "10-19", "--handles", 3) == 16
    assert num_frames("--start", "00:00:01:00", "--end", "00:00:01:12") == 12
    assert num_frames("--start", "1", "--fps", "12") == 12
    assert probe_video(tmp_path / "o.mp4").average_rate == 12


def test_nothing_worse_than_a_sentence_for_any_beginning(tmp_path: Path, clip_mp4: Path) -> None:
    data = clip_mp4.read_bytes()
    path = tmp_path / "cut.mp4"
    for size in (1, 7, 8, 12, 40, 100, 1000, len(data) - 1):
        path.write_bytes(data[:size])
        for on_error in ("stop", "skip"):
            with contextlib.suppress(VidstyleError):  # anything else is a fault
                read(path, on_error=on_error)
