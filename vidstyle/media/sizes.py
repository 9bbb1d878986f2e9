"""How large a file gets, from a piece of it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream

from vidstyle.media.plan import Clip, OutputPlan

#: Frames from keyframe to keyframe of an encoder that puts fewer than three into a piece: x264's and x265's default.
_USUAL_KEYFRAME_DISTANCE = 250
_CONVERTED_SOUND_BITS_PER_SECOND = 192_000

#: Bytes of a video packet, and whether it is a keyframe.
PacketSize = tuple[int, bool]


def video_packet_sizes(path: Path) -> list[PacketSize]:
    """Of a file's first picture, in the file's order."""
    with av.open(str(path)) as container:
        return [(packet.size, packet.is_keyframe) for packet in container.demux(video=0) if packet.size]


def scaled_size(packets: Sequence[PacketSize], num_frames: int) -> int:
    """Bytes of ``num_frames`` frames, of which ``packets`` are some.

    Keyframes and others are counted apart, because a short piece begins with a keyframe, and has too many of them.
    """
    keyframes = [size for size, is_keyframe in packets if is_keyframe]
    others = [size for size, is_keyframe in packets if not is_keyframe]
    if not others:
        return round(num_frames * sum(keyframes) / max(len(keyframes), 1))
    distance = len(packets) / len(keyframes) if len(keyframes) > 2 else _USUAL_KEYFRAME_DISTANCE
    num_keyframes = max(num_frames / distance, 1)
    key_bytes = sum(keyframes) / len(keyframes) if keyframes else 0.0
    return round(num_keyframes * key_bytes + max(num_frames - num_keyframes, 0) * sum(others) / len(others))


def sound_size(clip: Clip, plan: OutputPlan, seconds: Fraction | float) -> int:
    """Bytes of the sound that goes along, as far as the clip's header says how dense it is."""
    bits_per_second = 0
    for fate in plan.streams:
        stream = clip.container.streams[fate.stream.index]
        if isinstance(stream, AudioStream) and fate.action == "convert":
            bits_per_second += _CONVERTED_SOUND_BITS_PER_SECOND
        elif isinstance(stream, AudioStream) and fate.action == "copy":
            bits_per_second += stream.bit_rate or 0
    return round(bits_per_second * seconds / 8)
