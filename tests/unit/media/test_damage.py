"""Damage that is skipped: number and times of frames stay, lost ones are replaced, and every place is named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import media_factory as factory
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidstyle.errors import DecodeError
from vidstyle.frames import VideoFrame
from vidstyle.media import open_video
from vidstyle.media.damage import Concealer, Shown
from vidstyle.media.gaps import Gaps

CLIPS = {
    "h264.mp4": {"options": {"preset": "fast"}, "keyframe_interval": 10},
    "ultrafast.mkv": {"keyframe_interval": 10},
    "hevc.mp4": {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none:keyint=10"}},
    "h264.avi": {"codec": "libx264", "options": {"preset": "fast"}, "keyframe_interval": 10},
    "ffv1.mkv": {"codec": "ffv1", "options": {"slicecrc": "1"}},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "mpeg2.ts": {"codec": "mpeg2video", "keyframe_interval": 6},
}


def read(path: Path, **options) -> tuple[list[VideoFrame], list[str]]:
    with open_video(path, **options) as reader:
        return [item for item in reader if isinstance(item, VideoFrame)], reader.warnings


def times(frames: list[VideoFrame]) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in frames]


def damaged(path: Path, *numbers: int, fill: bytes = b"\xff") -> Path:
    """The clip with the given packets of its picture overwritten, in the order they are in the file."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    end = 0
    for number, packet in enumerate(packets):
        tail = packet[-60:]  # what comes before may be stripped by the container
        end = data.index(tail, end) + len(tail)
        if number in numbers:
            data[end - len(packet) : end] = fill * len(packet)
    broken = path.with_stem("broken")
    broken.write_bytes(data)
    return broken


@pytest.mark.parametrize("numbers", [(20, 21, 22), (13,), (5, 25, 26, 40), (39, 40)], ids=str)
@pytest.mark.parametrize("name", [name for name in CLIPS if not name.endswith(".ts")])
def test_number_and_times_stay_and_places_are_named(tmp_path: Path, name: str, numbers: tuple[int, ...]) -> None:
    whole = factory.make_clip(tmp_path / name, num_frames=48, **CLIPS[name])
    good, _ = read(whole)
    frames, notes = read(damaged(whole, *numbers), on_error="skip")
    assert times(frames) == times(good)
    assert notes
    assert all("damaged" in note and " s: " in note and "lost" in note for note in notes if "timestamps" not in note)
    # What comes before the damage is untouched.
    untouched = min(numbers) - 5
    assert all(a.data.equal(b.data) for a, b in zip(frames[:untouched], good, strict=False))


def test_the_last_good_frame_stands_in(tmp_path: Path) -> None:
    whole = factory.make_clip(
        tmp_path / "c.mkv", num_frames=20, codec="ffv1", options={"slicecrc": "1"}, keyframe_interval=1
    )
    good, _ = read(whole)
    frames, notes = read(damaged(whole, 7, 8, 15), on_error="skip")
    for index, frame in enumerate(frames):
        shown = {7: 6, 8: 6, 15: 14}.get(index, index)
        assert frame.data.equal(good[shown].data)
    assert [note[note.index(" is damaged") :] for note in notes] == [
        " is damaged at 0.292 s: 2 frames were lost, and a good one beside stands in.",
        " is damaged at 0.625 s: 1 frame was lost, and a good one beside stands in.",
    ]


def test_a_clip_may_begin_and_end_with_damage(tmp_path: Path) -> None:
    whole = factory.make_clip(tmp_path / "c.mov", num_frames=8, **CLIPS["prores.mov"])
    good, _ = read(whole)
    frames, _ = read(damaged(whole, 0, 1, 7), on_error="skip")
    assert times(frames) == times(good)
    assert all(frames[index].data.equal(good[2].data) for index in (0, 1, 2))
    assert frames[7].data.equal(good[6].data)


def test_damage_is_an_error_unless_it_is_skipped(tmp_path: Path) -> None:
    broken = damaged(factory.make_clip(tmp_path / "c.mp4", num_frames=48, **CLIPS["h264.mp4"]), 20, 21)
    with pytest.raises(DecodeError, match="--on-error skip"):
        read(broken)


def test_a_range_before_the_damage_has_none(tmp_path: Path) -> None:
    broken = damaged(factory.make_clip(tmp_path / "c.mp4", num_frames=48, **CLIPS["h264.mp4"]), 40, 41)
    frames, notes = read(broken, end_seconds=1, on_error="skip")
    assert len(frames) == 24
    assert notes == []


def test_a_range_over_the_damage_keeps_its_frames(tmp_path: Path) -> None:
    whole = factory.make_clip(tmp_path / "c.mp4", num_frames=48, **CLIPS["h264.mp4"])
    frames, notes = read(damaged(whole, 20, 21), start_seconds=0.5, end_seconds=1.5, on_error="skip")
    assert times(frames) == [Fraction(index, 24) for index in range(24)]
    assert len(notes) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_breaks_off_ends_with_its_last_good_frame(tmp_path: Path, suffix: str, share: float) -> None:
    front = {"movflags": "faststart"} if suffix != ".mkv" else None
    whole = factory.make_clip(
        tmp_path / f"c{suffix}", num_frames=72, audio="aac", options={"preset": "fast"}, container_options=front
    )
    good, _ = read(whole)
    data = whole.read_bytes()
    path = tmp_path / f"short{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    frames, notes = read(path, on_error="skip")
    assert 0 < len(frames) < 72
    # A frame that refers to a lost one behind it is lost too.
    by_time = dict(zip(times(good), good, strict=True))
    assert all(frame.data.equal(by_time[time].data) for frame, time in zip(frames, times(frames), strict=True))
    assert times(frames)[:-3] == times(good)[: len(frames) - 3]
    assert len(notes) == 1
    assert f"breaks off: it ends at {frames[-1].seconds:.3f} s" in notes[0]


def test_a_transport_stream_with_lost_packets_goes_on(tmp_path: Path) -> None:
    whole = factory.make_clip(tmp_path / "c.ts", num_frames=48, size=(320, 240), **CLIPS["mpeg2.ts"])
    data = whole.read_bytes()
    path = tmp_path / "holes.ts"
    path.write_bytes(data[: 188 * 60] + data[188 * 75 : 188 * 160] + data[188 * 161 :])
    frames, notes = read(path, on_error="skip")
    assert times(frames) == times(read(whole)[0])
    assert any("damaged at" in note and "lost" in note for note in notes)
    with pytest.raises(DecodeError, match=r"damaged after [\d.]+ s .*--on-error skip"):
        read(path)


def test_a_recording_may_begin_and_end_within_a_packet(tmp_path: Path) -> None:
    whole = factory.make_clip(tmp_path / "c.ts", num_frames=24, size=(320, 240), **CLIPS["mpeg2.ts"])
    data = whole.read_bytes()
    (tmp_path / "cut.ts").write_bytes(data[: len(data) // 188 * 2 // 3 * 188])
    frames, _ = read(tmp_path / "cut.ts")
    assert 8 < len(frames) < 24


def test_gaps_count_behind_damage_at_a_constant_rate_only() -> None:
    gaps = Gaps(Fraction(1, 90000), Fraction(25))
    assert [gaps.before(pts) for pts in (0, 3600, 7200)] == [[], [], []]
    gaps.expected = True
    assert gaps.before(18000) == [10800, 14400]
    assert gaps.before(18000 + 90000 * 60) == []  # a jump of the clock
    varying = Gaps(Fraction(1, 90000), Fraction(25))
    assert [varying.before(pts) for pts in (0, 3600, 10800)] == [[], [], []]
    varying.expected = True
    assert varying.before(18000) == []


class Picture:
    """As much of a decoder's frame as concealing looks at."""

    def __init__(self, key: int, key_frame: bool = True, is_corrupt: bool = False) -> None:
        self.key, self.key_frame, self.is_corrupt = key, key_frame, is_corrupt


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 3), st.randoms(use_true_random=False))
def test_every_announced_frame_is_shown_once_in_order(lost: list[bool], delay: int, random) -> None:
    """Whatever is lost, with a decoder that is late by some frames and may give neighbours in the wrong order."""
    concealer = Concealer()
    shown: list[Shown] = []
    coming: list[Picture] = []
    for key, is_lost in enumerate(lost):
        if is_lost:
            concealer.damage(key)
        else:
            concealer.expect(key)
            coming.append(Picture(key, key_frame=random.random() < 0.3))
        if any(lost[: key + 1]) and len(coming) > 1 and random.random() < 0.2:
            coming[-2:] = coming[:-3:-1]
        while len(coming) > delay:
            shown += concealer.push(coming[0].key, coming.pop(0))
    for picture in coming:
        shown += concealer.push(picture.key, picture)
    shown += concealer.flush(is_whole=True)
    if all(lost):
        assert shown == []
        return
    assert [item.key for item in shown] == list(range(len(lost)))
    for item in shown:
        assert item.stands_in or item.picture.key == item.key
        assert item.stands_in or not lost[item.key]


def test_what_begins_amid_a_group_does_not_stand_still() -> None:
    concealer = Concealer()
    coming = [Picture(0, key_frame=False, is_corrupt=True), *(Picture(key, key_frame=False) for key in range(1, 6))]
    for picture in coming:
        concealer.expect(picture.key)
    shown = [item for picture in coming for item in concealer.push(picture.key, picture)]
    assert [item.picture.key for item in shown] == list(range(6))


def test_places_are_told_up_to_a_screenful() -> None:
    concealer = Concealer()
    for index in range(100):
        concealer.note(Shown(index, Picture(index), stands_in=index % 2 == 1), Fraction(index))
    sentences = list(concealer.sentences(Fraction(0)))
    assert len(sentences) == 21
    assert sentences[-1] == "is damaged at 30 further places, where 30 frames were lost"


@pytest.mark.parametrize(
    ("name", "number", "num_warmup"),
    # Decoders speak of damage as many packets late as the machine has cores: there is room for 16.
    [("h264.mp4", 26, 5), ("h264.avi", 3, 6), ("prores.mov", 52, 5), ("ffv1.mkv", 3, 6)],
)
def test_damage_before_the_range_only_costs_warm_up(tmp_path: Path, name: str, number: int, num_warmup: int) -> None:
    options = {"start_seconds": Fraction(55, 24), "warmup_frames": 6}
    keyframes = {"preset": "fast", "x264-params": "keyint=25:min-keyint=25:scenecut=0"}
    clip = CLIPS[name] | ({"options": keyframes} if "h264" in name else {})
    whole = factory.make_clip(tmp_path / name, num_frames=64, **clip)
    good, _ = read(whole, **options)
    frames, notes = read(damaged(whole, number), **options)
    assert len(frames) == 9 + num_warmup
    for one, other in zip(frames[num_warmup:], good[6:], strict=True):
        assert one.seconds == other.seconds >= 0
        assert one.data.equal(other.data)
    fewer = num_warmup < 6
    assert [note for note in notes if "damaged before the range; frames that warm" in note] == notes[: int(fewer)]
    assert len(notes) == fewer


@pytest.mark.parametrize(("name", "number"), [("h264.mp4", 35), ("hevc.mp4", 37), ("prores.mov", 37)])
def test_damage_that_reaches_into_the_range_is_an_error(tmp_path: Path, name: str, number: int) -> None:
    whole = factory.make_clip(tmp_path / name, num_frames=48, **CLIPS[name])
    with pytest.raises(DecodeError, match="damaged after"):
        read(damaged(whole, number), start_seconds=1.5, warmup_frames=6)


def test_a_damaged_beginning_does_not_move_the_clock(tmp_path: Path) -> None:
    whole = factory.make_clip(tmp_path / "prores.mov", num_frames=12, **CLIPS["prores.mov"])
    wanted = {"start_seconds": 0.25, "shift_to_zero": False}
    assert times(read(damaged(whole, 0, 1), **wanted)[0]) == times(read(whole, **wanted)[0])


def lose(path: Path, num: int, pids: tuple[int, ...]) -> Path:
    """A transport stream without ``num`` packets of its picture in a row, nor those of ``pids`` between them."""
    data = path.read_bytes()
    packets = [data[place : place + 188] for place in range(0, len(data), 188)]
    pid = [(packet[1] & 31) << 8 | packet[2] for packet in packets]
    place, lost = len(packets) // 2, set()
    while num:
        if pid[place] in pids:
            lost.add(place)
            num -= pid[place] == PICTURE
        place += 1
    holes = path.with_stem("holes")
    holes.write_bytes(b"".join(packet for index, packet in enumerate(packets) if index not in lost))
    return holes


PICTURE, SOUND = 256, 257
STREAM = {"num_frames": 60, "size": (320, 240), "audio": "mp2", "options": {"b": "3000000"}}


@pytest.mark.parametrize("num", [16, 48])  # packets are numbered modulo 16, so that nothing is flagged
def test_packets_lost_without_a_trace_are_found_by_picture_and_sound(tmp_path: Path, num: int) -> None:
    whole = factory.make_clip(tmp_path / "c.ts", **CLIPS["mpeg2.ts"], **STREAM)
    path = lose(whole, num, (PICTURE, SOUND))
    with av.open(str(path)) as container:
        assert not any(packet.is_corrupt for packet in container.demux(video=0))
    with pytest.raises(DecodeError, match=r"packets are lost.*--on-error skip"):
        read(path)
    frames, notes = read(path, on_error="skip")
    assert times(frames) == times(read(whole)[0])
    assert any("damaged at" in note and "lost" in note for note in notes)


def test_a_pause_of_the_picture_alone_is_named_and_kept(tmp_path: Path) -> None:
    holes = lose(factory.make_clip(tmp_path / "c.ts", **CLIPS["mpeg2.ts"], **STREAM), 32, (PICTURE,))
    frames, notes = read(holes, on_error="skip")
    assert 50 < len(frames) < 60
    assert any("has no frame between" in note for note in notes)
    with pytest.raises(DecodeError, match="a frame is incomplete"):
        read(holes)


@pytest.mark.parametrize("name", ["c.mp4", "c.mkv"])
def test_what_is_predicted_from_a_damaged_keyframe_is_no_good(tmp_path: Path, name: str) -> None:
    """Decoders call it whole."""
    keyframes = {"preset": "fast", "x264-params": "keyint=12:min-keyint=12:scenecut=0"}
    whole = factory.make_clip(tmp_path / name, num_frames=48, size=(160, 96), codec="libx264", options=keyframes)
    with av.open(str(whole)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(whole.read_bytes())
    begin, length = data.index(packets[24]), len(packets[24])
    for place in range(begin + length // 3, begin + length - 8):
        data[place] = (7 * place) % 251
    broken = whole.with_stem("broken")
    broken.write_bytes(data)

    good, _ = read(whole)
    frames, notes = read(broken, on_error="skip")
    assert times(frames) == times(good)
    for index, (frame, wanted) in enumerate(zip(frames, good, strict=True)):
        shown = 23 if 24 <= index < 36 else index
        assert frame.data.equal(good[shown].data), wanted.pts
    assert [note[note.index(" is damaged") :] for note in notes] == [
        " is damaged at 1.000 s: 12 frames were lost, and a good one beside stands in."
    ]
    with pytest.raises(DecodeError, match=r"after 0\.958 s \(.*--on-error skip"):
        read(broken)


@pytest.mark.parametrize("sound", ["mp2", None])
def test_a_stream_of_variable_rate_raises_no_alarm(tmp_path: Path, sound: str | None) -> None:
    pts = sorted({*range(240), *range(240, 400, 3)} - set(range(100, 110)) - {5, 60, 61})
    path = factory.make_clip(
        tmp_path / "c.ts", num_frames=len(pts), pts=pts, time_base=Fraction(1, 24), rate=24, audio=sound
    )
    frames, notes = read(path)
    assert [round((time - times(frames)[0]) * 24) for time in times(frames)] == pts
    assert times(read(path, on_error="skip")[0]) == times(frames)
    assert not any("lost, and" in note for note in notes)


def test_frames_without_a_timestamp_take_a_place() -> None:
    gaps = Gaps(Fraction(1, 90000), Fraction(25))
    gaps.expected = True
    assert [gaps.before(pts) for pts in (0, None, 14400)] == [[], [], [7200, 10800]]
    assert gaps.unexplained is None
