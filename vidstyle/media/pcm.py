"""Uncompressed sound, which can be cut at any sample."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import cast

from av import Packet as AVPacket
from av.audio.stream import AudioStream
from av.stream import Stream

from vidstyle.media.timestamps import packet_time, to_ticks

#: Codecs whose packets are samples and nothing else; laws have a byte a sample.
_PLAIN = re.compile(r"pcm_(?:[fsu](8|16|24|32|64)(?:le|be)?|alaw|mulaw)")


def packet_from(packet: AVPacket[Stream], moment: Fraction) -> AVPacket[Stream] | None:
    """What of a packet is at or after a moment.

    Args:
        packet: of any stream; left as it is.
        moment: in seconds, on the packet's clock.

    Returns:
        The packet where it begins no earlier; the rest of its samples, as a packet of its own, where it is uncompressed
        sound that reaches behind the moment; None otherwise.
    """
    time = packet_time(packet)
    if time >= moment:
        return packet
    num_bytes = _sample_bytes(packet)
    skipped = math.ceil((moment - time) * _rate(packet)) if num_bytes else 0
    if not num_bytes or skipped >= packet.size // num_bytes:
        return None
    return _cut(packet, skipped, packet.size // num_bytes)


def packet_until(packet: AVPacket[Stream], moment: Fraction) -> AVPacket[Stream]:
    """What of a packet is before a moment behind its beginning.

    Args:
        packet: of any stream; left as it is.
        moment: in seconds, on the packet's clock.

    Returns:
        The first of its samples, as a packet of its own, where it is uncompressed sound that reaches beyond the moment;
        the packet otherwise.
    """
    num_bytes = _sample_bytes(packet)
    kept = math.ceil((moment - packet_time(packet)) * _rate(packet)) if num_bytes else 0
    if not num_bytes or not 0 < kept < packet.size // num_bytes:
        return packet
    return _cut(packet, 0, kept)


def reaches(packet: AVPacket[Stream], moment: Fraction) -> bool:
    """Whether a packet is uncompressed sound that goes on behind a moment."""
    num_bytes = _sample_bytes(packet)
    if not num_bytes:
        return False
    return packet_time(packet) + Fraction(packet.size // num_bytes, _rate(packet)) > moment


def _sample_bytes(packet: AVPacket[Stream]) -> int | None:
    """Bytes of a sample of all channels; None where packets cannot be cut."""
    stream = packet.stream
    if not isinstance(stream, AudioStream) or packet.pts is None:
        return None
    plain = _PLAIN.fullmatch(stream.codec_context.name)
    return stream.codec_context.layout.nb_channels * int(plain[1] or 8) // 8 if plain else None


def _rate(packet: AVPacket[Stream]) -> int:
    return cast("AudioStream", packet.stream).codec_context.sample_rate


def _cut(packet: AVPacket[Stream], first: int, last: int) -> AVPacket[Stream]:
    """Samples ``first`` to ``last``, exclusive, of uncompressed sound."""
    num_bytes, rate, time_base = _sample_bytes(packet) or 1, _rate(packet), packet.time_base
    part: AVPacket[Stream] = AVPacket(bytes(packet)[first * num_bytes : last * num_bytes])
    part.stream, part.time_base = packet.stream, time_base
    part.pts = part.dts = to_ticks(packet_time(packet) + Fraction(first, rate), time_base)
    part.duration = to_ticks(Fraction(last - first, rate), time_base)
    part.is_keyframe = True
    return part
