"""Uncompressed sound, which can be cut at any sample."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from av import Packet as AVPacket
from av.audio.stream import AudioStream
from av.stream import Stream

from vidstyle.media.timestamps import to_ticks

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
    stream = packet.stream
    ticks = packet.pts if packet.pts is not None else packet.dts
    time = Fraction((ticks or 0) * packet.time_base)
    if time >= moment:
        return packet
    if not isinstance(stream, AudioStream) or packet.pts is None:
        return None
    plain = _PLAIN.fullmatch(stream.codec_context.name)
    if plain is None:
        return None
    num_bytes = stream.codec_context.layout.nb_channels * int(plain[1] or 8) // 8
    rate = stream.codec_context.sample_rate
    skipped, num = math.ceil((moment - time) * rate), packet.size // num_bytes
    if skipped >= num:
        return None
    tail: AVPacket[Stream] = AVPacket(bytes(packet)[skipped * num_bytes :])
    tail.stream, tail.time_base = stream, packet.time_base
    tail.pts = tail.dts = to_ticks(time + Fraction(skipped, rate), packet.time_base)
    tail.duration = to_ticks(Fraction(num - skipped, rate), packet.time_base)
    tail.is_keyframe = True
    return tail
