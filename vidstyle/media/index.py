"""When a clip's frames are shown, read from its packets alone; nothing is decoded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard
from av.video.stream import VideoStream

from vidstyle.media.probe import FirstLook, main_video, open_container
from vidstyle.media.timestamps import to_ticks

# Room for a keyframe's display time, which lies a little behind the decode time that seeking goes by.
_SEEK_MARGIN_SECONDS = 2
_SHOWS_FRAME = 0x10  # in the first byte of a VP8 frame


def frame_times(
    path: Path, look: FirstLook, *, since: Fraction | None = None, until: Fraction | None = None
) -> list[Fraction]:
    """Times of a clip's frames, in seconds on the clip's own clock, exact and increasing.

    What cannot be read, because the file is damaged, is left out; decoding will say so.

    Args:
        path: the file.
        look: what ``look_at`` found.
        since: leave out frames before this moment; None is the beginning.
        until: leave out frames from this moment on; None is the end.
    """
    tick = look.info.time_base
    with open_container(path) as container:
        video = main_video(container, path, look.stream_number)
        for stream in container.streams:
            if stream is not video:
                stream.discard = Discard.all
        if look.timing != "pts":
            times = _counted(container, video, look)
        else:
            first = None if since is None else to_ticks(since, tick) - to_ticks(Fraction(_SEEK_MARGIN_SECONDS), tick)
            if first is not None and first > look.first_pts:
                container.seek(first, stream=video)
            times = _stamped(container, video, tick, until)
    return sorted(t for t in times if (since is None or t >= since) and (until is None or t < until))


def times_before(path: Path, look: FirstLook, moment: Fraction, num: int) -> list[Fraction]:
    """Times of the last ``num`` frames that start before ``moment``; fewer where the clip has no more."""
    window = (num + 2) / look.info.average_rate
    first = look.first_pts * look.info.time_base
    while True:  # a clip of variable rate may have fewer frames in the window than its rate says
        since = moment - window
        times = frame_times(path, look, since=since if since > first else None, until=moment)
        if len(times) >= num or since <= first:
            return times[-num:] if num else []
        window *= 4


def _stamped(container: InputContainer, video: VideoStream, tick: Fraction, until: Fraction | None) -> set[Fraction]:
    ticks: set[int] = set()
    is_vp8 = video.codec_context.name == "vp8"
    try:
        for packet in container.demux(video):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if not packet.size or packet.is_discard or stamp is None:
                continue
            if until is not None and packet.dts is not None and packet.dts * tick >= until:
                break
            if is_vp8 and not bytes(packet)[0] & _SHOWS_FRAME:
                continue
            ticks.add(stamp)
    except av.FFmpegError:
        pass
    return {stamp * tick for stamp in ticks}


def _counted(container: InputContainer, video: VideoStream, look: FirstLook) -> set[Fraction]:
    """Of AVI, whose packets carry positions in decoding order, and of raw streams, which carry nothing."""
    positions: list[int] = []
    try:
        for packet in container.demux(video):
            if packet.size:
                positions.append(packet.dts if look.timing == "dts" and packet.dts is not None else len(positions))
    except av.FFmpegError:
        pass
    tick = look.info.time_base
    if look.timing == "count":
        return {number * tick for number in range(len(positions))}
    shown = [position - look.first_dts for position in positions if position >= look.first_dts]
    while shown and len(shown) < len(positions):  # frames that come out after the last packet
        shown.append(shown[-1] + 1)
    return {position * tick for position in shown}
