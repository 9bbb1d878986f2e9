from __future__ import annotations

from itertools import pairwise

import av
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.media.packets import VideoPackets


def packet(pts: int, dts: int) -> av.Packet:
    made = av.Packet(b"x")
    made.pts, made.dts = pts, dts
    return made


@given(
    gaps=st.lists(st.integers(1, 500), min_size=1, max_size=30),
    last=st.integers(0, 500),
    order=st.randoms(use_true_random=False),
    depth=st.integers(1, 4),
)
def test_every_packet_gets_its_time_on_screen_and_the_sum_comes_out(gaps, last, order, depth) -> None:
    pts = [sum(gaps[:i]) for i in range(len(gaps) + 1)]
    durations = dict(zip(pts, [b - a for a, b in pairwise(pts)] + [max(1, last)], strict=True))
    # An encoder that holds back up to ``depth`` pictures and gives them out in any order.
    packets, held, passed = VideoPackets(10_000), [], []
    for index, tick in enumerate(pts):
        packets.show(tick, last)
        held.append(tick)
        if len(held) > depth:
            chosen = held.pop(order.randrange(len(held)))
            passed += packets.push([packet(chosen, pts[max(0, index - depth)])])
    passed += packets.push([packet(tick, pts[max(0, len(pts) - len(held) + i - depth)]) for i, tick in enumerate(held)])
    passed += packets.flush()

    assert sorted(p.pts for p in passed) == pts
    assert all(p.duration == durations[p.pts] for p in passed[:-1])
    assert passed[-1].duration >= durations[passed[-1].pts]
    assert max(p.pts + p.duration for p in passed) == pts[-1] + max(1, last)


def test_uneven_frames_decoded_out_of_order_add_up() -> None:
    packets = VideoPackets(10_000)
    for tick, duration in ((0, 40), (40, 500), (540, 60), (600, 1000)):
        packets.show(tick, duration)
    passed = packets.push([packet(0, -40), packet(600, 0), packet(40, 40), packet(540, 540)]) + packets.flush()
    # From the first decoding time on, as MP4 counts: 40 + 40 + 500 + what is missing to 1600.
    assert [p.duration for p in passed] == [40, 1000, 500, 1020]


def test_senseless_decode_times_are_replaced() -> None:
    packets = VideoPackets(100)
    packets.show(5, 1)
    assert [p.dts for p in packets.push([packet(5, -(2**40))]) + packets.flush()] == [5]


def test_nothing_in_nothing_out() -> None:
    assert VideoPackets(1).flush() == []
