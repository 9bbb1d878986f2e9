from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.media.timestamps import FrameClock, PacketClock

MAYBE_TICKS = st.one_of(st.none(), st.integers(-1000, 100_000))


@given(st.lists(MAYBE_TICKS, max_size=50), st.fractions(Fraction(1, 10), 240))
def test_frame_times_strictly_increase_whatever_comes(pts, rate):
    repairs = []
    clock = FrameClock(Fraction(1, 90_000), rate, False, lambda: repairs.append(1))

    stamped = [clock.stamp(p) for p in pts]

    assert all(a < b for a, b in pairwise(stamped))
    assert len(repairs) == (stamped != pts)


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=50).map(sorted))
def test_good_frame_times_are_left_alone(pts):
    clock = FrameClock(Fraction(1, 1000), Fraction(25), False, lambda: None)

    assert [clock.stamp(p) for p in pts] == pts


def test_counted_frames_do_not_drift():
    clock = FrameClock(Fraction(1, 1000), Fraction(24000, 1001), True, lambda: None)

    assert [clock.stamp(None) for _ in range(1001)][-1] == round(1000 * 1001 / 24)


@given(st.lists(st.tuples(MAYBE_TICKS, MAYBE_TICKS, st.integers(0, 50)), max_size=30))
def test_packets_of_a_stream_are_ones_a_muxer_takes(stamps):
    clock, last = PacketClock(), None
    for pts, dts, duration in stamps:
        packet = av.Packet(b"x")
        packet.pts, packet.dts, packet.duration = pts, dts, duration
        clock.stamp(packet)
        assert packet.pts >= packet.dts
        assert last is None or packet.dts > last
        last = packet.dts
