"""What is remembered is what would be computed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from fakes import FakeStylizer
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vidstyle.flow.dis import DisFlow
from vidstyle.flow.dis_search import DisSearch
from vidstyle.flow.looking_back import OlderSearch
from vidstyle.ui.memory import (
    Memory,
    RememberingFlow,
    RememberingSearch,
    RememberingStylizer,
    a_fair_share,
    fingerprint,
)

ROOMY = 1 << 24


def moving(num: int, size: tuple[int, int] = (48, 64)) -> list[Tensor]:
    """A texture that slides by three pixels a frame."""
    ground = torch.rand(1, 3, size[0] // 4, size[1], generator=torch.Generator().manual_seed(3))
    wide = torch.nn.functional.interpolate(ground, (size[0], size[1] * 4), mode="bicubic").clamp(0, 1)
    return [wide[..., 3 * i : 3 * i + size[1]].contiguous() for i in range(num)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=2, max_size=40), st.data())
def test_fingerprints_tell_pictures_apart(values: list[int], data: st.DataObject) -> None:
    picture = torch.tensor(values, dtype=torch.float32) / 255
    shuffled = picture[torch.tensor(data.draw(st.permutations(range(len(values)))))]
    assert (fingerprint(picture) == fingerprint(shuffled)) == picture.equal(shuffled)
    assert fingerprint(picture.clone()) == fingerprint(picture)
    assert fingerprint(picture[None]) != fingerprint(picture)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 60)), max_size=40))
def test_memory_stays_within_its_size(puts: list[tuple[int, int]]) -> None:
    memory = Memory(100)
    for key, size in puts:
        memory.put(key, (key, size), size)
        assert memory.get(key) == (key, size)
        assert memory.num_bytes <= 100


def test_what_was_used_last_stays() -> None:
    memory = Memory(2)
    memory.put("a", 1, 1)
    memory.put("b", 2, 1)
    assert memory.get("a") == 1
    memory.put("c", 3, 1)
    memory.put("huge", 4, 3)
    assert [memory.get(key) for key in ("a", "b", "c", "huge")] == [1, None, 3, None]


def test_nothing_is_held_after_clearing() -> None:
    memory = Memory(2)
    memory.put("a", 1, 2)
    memory.clear()
    assert memory.get("a") is None
    assert memory.num_bytes == 0


def test_a_fair_share_is_bounded_also_by_the_smallest_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 << 29 <= a_fair_share() <= 8 << 30
    gpus = [SimpleNamespace(total_memory=gib << 30) for gib in (24, 4)]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: gpus[index])
    assert a_fair_share() <= 1 << 30


def test_a_stylizer_paints_no_picture_twice() -> None:
    frames = torch.cat(moving(4))
    inner = FakeStylizer()
    stylizer = RememberingStylizer(inner, Memory(ROOMY), lambda: "negative", lambda: None)
    first, again = stylizer(frames), stylizer(frames[[2, 0]])
    assert inner.batches == [1, 1, 1, 1]
    assert (first - inner(frames)).abs().max() <= 2**-11
    assert again.equal(first[[2, 0]])


def test_a_request_that_is_not_wanted_any_more_stops() -> None:
    def check() -> None:
        raise InterruptedError

    stylizer = RememberingStylizer(FakeStylizer(), Memory(ROOMY), lambda: "negative", check)
    with pytest.raises(InterruptedError):
        stylizer(moving(1)[0])


@pytest.mark.parametrize("held", [ROOMY, 120_000, 0])
def test_remembered_flow_is_the_estimator_s(held: int) -> None:
    frames = moving(6)
    plain = DisFlow()
    wanted = [plain.push(frame) for frame in frames]
    memory = Memory(held)
    for order in (range(6), range(2, 6), range(1, 5)):  # with room for some pairs only, they come from both
        flow = RememberingFlow(DisFlow(), memory, "dis", lambda: None)
        for position, index in enumerate(order):
            motion = flow.push(frames[index])
            if position == 0:
                assert motion is None
                continue
            assert motion is not None
            assert motion.flow_backward.equal(wanted[index].flow_backward)  # type: ignore[union-attr]
            assert motion.flow_forward.equal(wanted[index].flow_forward)  # type: ignore[union-attr]


def test_a_cut_restarts_remembered_flow() -> None:
    frames = moving(3)
    flow = RememberingFlow(DisFlow(), Memory(ROOMY), "dis", lambda: None)
    flow.push(frames[0])
    flow.reset()
    assert flow.push(frames[1]) is None
    assert flow.push(frames[2]) is not None


@pytest.mark.parametrize("held", [ROOMY, 0])
def test_a_remembered_search_is_the_search_and_made_once(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []

    def counted(*found: object) -> Tensor:
        searches.append(found)
        return search_of(*found)  # type: ignore[arg-type]

    search_of = DisSearch.flow
    plain, search = OlderSearch(), RememberingSearch(Memory(held), lambda: None)
    first, second, third = (plain.grey(frame) for frame in moving(3, (96, 128)))
    wanted = [plain.flow(third, first), plain.flow(second, first)]
    monkeypatch.setattr(DisSearch, "flow", counted)
    for _ in range(2):
        assert all(search.flow(each, first).equal(flow) for each, flow in zip((third, second), wanted, strict=True))
    assert len(searches) == (2 if held else 4)


def test_a_search_that_is_not_wanted_any_more_stops() -> None:
    def check() -> None:
        raise InterruptedError

    search = RememberingSearch(Memory(ROOMY), check)
    grey = search.grey(moving(1)[0])
    with pytest.raises(InterruptedError):
        search.flow(grey, grey)
