"""The threads at both ends: order, bounds, errors, and that they always end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from vidstyle.pipeline.prefetch import Feeder, Prefetcher

DEPTH = 3


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("vidstyle-")]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Counter:
    """Counts upwards and says how far it was asked to; raises ``error`` instead of number ``fail_at``."""

    def __init__(self, num: int, fail_at: int | None = None, error: BaseException | None = None) -> None:
        self.num_given = 0
        self._num, self._fail_at, self._error = num, fail_at, error

    def __iter__(self) -> Iterator[int]:
        for number in range(self._num):
            if number == self._fail_at and self._error is not None:
                raise self._error
            self.num_given += 1
            yield number


def test_prefetching_keeps_the_order_and_loses_nothing() -> None:
    with Prefetcher(Counter(100), DEPTH) as items:
        assert list(items) == list(range(100))


def test_prefetching_stays_within_its_depth() -> None:
    counter = Counter(1000)
    with Prefetcher(counter, DEPTH) as items:
        for taken, _ in enumerate(items, start=1):
            if taken == 20:
                break
            # What is queued, and one in the thread's hand.
            assert counter.num_given <= taken + DEPTH + 1
        wait_for(lambda: counter.num_given >= 20 + DEPTH)
    assert counter.num_given <= 20 + DEPTH + 1


def test_nothing_is_fetched_at_either_end_of_an_empty_source() -> None:
    with Prefetcher(Counter(0), DEPTH) as items:
        assert list(items) == []


@pytest.mark.parametrize("error", [ValueError("damaged"), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_a_source_error_arrives_after_everything_before_it(error: BaseException) -> None:
    seen = []
    with pytest.raises(type(error)) as caught, Prefetcher(Counter(10, 5, error), DEPTH) as items:  # noqa: PT012
        for item in items:
            seen.append(item)  # noqa: PERF402  # the error must not swallow what came before
    assert seen == [0, 1, 2, 3, 4]
    assert caught.value is error


@pytest.mark.parametrize("error", [RuntimeError("painter"), KeyboardInterrupt()], ids=repr)
def test_leaving_on_an_error_stops_the_source(error: BaseException) -> None:
    counter = Counter(10**9)
    with pytest.raises(type(error)), Prefetcher(counter, DEPTH) as items:  # noqa: PT012
        next(iter(items))
        raise error
    assert counter.num_given <= DEPTH + 2


def test_leaving_before_anything_was_taken_stops_the_source() -> None:
    with Prefetcher(Counter(10**9), DEPTH):
        pass


def test_fetching_happens_on_a_thread_of_its_own_and_is_timed() -> None:
    def slow() -> Iterator[str]:
        time.sleep(0.02)
        yield threading.current_thread().name

    with Prefetcher(slow(), DEPTH) as items:
        assert list(items) == ["vidstyle-decode"]
    assert items.busy_seconds >= 0.02


def test_feeding_keeps_the_order_and_waits_for_the_last_item() -> None:
    consumed: list[int] = []
    with Feeder(lambda number: (time.sleep(0.001), consumed.append(number))[1], DEPTH) as feeder:
        for number in range(50):
            feeder.put(number)
    assert consumed == list(range(50))
    assert feeder.busy_seconds >= 0.05


def test_feeding_stays_within_its_depth() -> None:
    consumed: list[int] = []
    gate = threading.Semaphore(0)

    def consume(number: int) -> None:
        gate.acquire()
        consumed.append(number)

    num_put = 0
    with Feeder(consume, DEPTH) as feeder:

        def fill() -> None:
            nonlocal num_put
            for number in range(20):
                feeder.put(number)
                num_put += 1

        filler = threading.Thread(target=fill)
        filler.start()
        for released in range(20):
            wait_for(lambda: len(consumed) == released)  # noqa: B023  # called at once
            # Consumed, in the consumer's hand, and queued.
            wait_for(lambda: num_put == min(released + 1 + DEPTH, 20))  # noqa: B023
            gate.release()
        filler.join()
    assert consumed == list(range(20))


def test_a_consumer_error_reaches_a_later_put() -> None:
    error = OSError("disk full")

    def consume(number: int) -> None:
        if number == 2:
            raise error

    with pytest.raises(OSError, match="disk full") as caught, Feeder(consume, DEPTH) as feeder:  # noqa: PT012
        for number in range(10**6):
            feeder.put(number)
    assert caught.value is error


def test_a_consumer_error_on_the_last_item_is_raised_on_leaving() -> None:
    def consume(number: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), Feeder(consume, DEPTH) as feeder:
        feeder.put(1)


def test_nothing_is_consumed_after_an_error() -> None:
    consumed: list[int] = []

    def consume(number: int) -> None:
        consumed.append(number)
        if number == 1:
            raise ValueError

    with pytest.raises(ValueError), Feeder(consume, DEPTH) as feeder:  # noqa: PT011, PT012
        for number in range(100):
            feeder.put(number)
    assert consumed == [0, 1]


@pytest.mark.parametrize("error", [RuntimeError("painter"), KeyboardInterrupt()], ids=repr)
def test_leaving_a_feeder_on_an_error_drops_what_is_queued(error: BaseException) -> None:
    consumed: list[int] = []
    started, release = threading.Event(), threading.Event()

    def consume(number: int) -> None:
        started.set()
        release.wait(10)
        consumed.append(number)

    with pytest.raises(type(error)), Feeder(consume, DEPTH) as feeder:  # noqa: PT012
        for number in range(DEPTH):
            feeder.put(number)
        started.wait(10)
        threading.Timer(0.05, release.set).start()
        raise error
    assert consumed == [0]


def test_the_error_that_came_first_wins() -> None:
    def consume(number: int) -> None:
        raise OSError("disk full")

    with pytest.raises(KeyboardInterrupt), Feeder(consume, DEPTH) as feeder:  # noqa: PT012
        feeder.put(1)
        raise KeyboardInterrupt


def test_an_interrupt_while_the_thread_starts_leaves_nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read from is closed next, so a thread that runs already must not touch it."""
    start = threading.Thread.start

    def interrupted_start(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    counter, consumed = Counter(100), list[int]()
    monkeypatch.setattr(threading.Thread, "start", interrupted_start)
    for each in (Prefetcher(counter, DEPTH), Feeder(consumed.append, DEPTH)):
        with pytest.raises(KeyboardInterrupt), each:
            pytest.fail("entered")
    wait_for(lambda: not any(thread.name.startswith("vidstyle-") for thread in threading.enumerate()))
    assert counter.num_given == 0


@pytest.mark.parametrize("end", ["prefetcher", "feeder"])
def test_an_interrupt_while_leaving_waits_for_what_is_in_hand(end: str) -> None:
    """A real one: only that has ``Thread.join`` take the thread for ended."""
    in_hand, begun = threading.Event(), threading.Event()

    def slow(number: int = 0) -> int:
        in_hand.set()
        begun.set()
        time.sleep(0.4)
        in_hand.clear()
        return number

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    press = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT))

    def work() -> None:
        if end == "feeder":
            with Feeder(slow, DEPTH) as feeder:
                feeder.put(0)
                begun.wait()
                press.start()
        else:
            with Prefetcher((slow(number) for number in range(9)), DEPTH):
                begun.wait()
                press.start()

    try:
        with pytest.raises(KeyboardInterrupt):
            work()
        assert not in_hand.is_set()
    finally:
        press.join()
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: not any(thread.name.startswith("vidstyle-") for thread in threading.enumerate()))
