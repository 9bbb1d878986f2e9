"""Threads at both ends of the pipeline: one pulls from a source, one pushes into a sink, behind bounded queues."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """Last thing in a queue: the producer finished, or failed with ``error``."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Prefetcher(Generic[T]):
    """Iterate over ``items`` on a thread of its own, at most ``depth`` ahead and one in hand.

    Use as a context manager: leaving it, for whatever reason, stops the thread and joins it. An error raised by
    ``items`` is raised again where the prefetcher is iterated, after everything before it.

    Args:
        items: iterated on the thread.
        depth: most items held.
    """

    def __init__(self, items: Iterable[T], depth: int) -> None:
        self.busy_seconds = 0.0
        self._items = items
        self._queue: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
        self._entered = threading.Event()
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vidstyle-decode", daemon=True)

    def _run(self) -> None:
        self._entered.wait()
        self._put(self._produce())
        self._ended.set()

    def _produce(self) -> _End:
        try:
            iterator = iter(self._items)
            while not self._cancelled.is_set():
                started = time.perf_counter()
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                finally:
                    self.busy_seconds += time.perf_counter() - started
                self._put(item)
        except BaseException as error:  # noqa: BLE001  # handed to the consumer, which raises it
            return _End(error)
        return _End()

    def _put(self, item: T | _End) -> None:
        while not self._cancelled.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def __enter__(self) -> Prefetcher[T]:
        try:
            self._thread.start()
            self._entered.set()
        except BaseException:  # interrupted: the thread may run, and what it reads from is about to be closed
            self._cancelled.set()
            self._entered.set()
            if self._thread.is_alive():  # otherwise it finds itself cancelled first
                self._ended.wait()
            raise
        return self

    def __iter__(self) -> Iterator[T]:
        while True:
            item = self._queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancelled.set()
        try:
            self._wait()
        except BaseException:  # interrupted while waiting: what the thread reads from is closed next
            self._wait()
            raise

    def _wait(self) -> None:
        # Thread.join takes a thread for ended once a wait for it was interrupted.
        self._ended.wait()
        self._thread.join()


class Feeder(Generic[T]):
    """Call ``consume`` for every item put, in order, on a thread of its own, at most ``depth`` behind.

    Use as a context manager: leaving it after success waits until everything is consumed; leaving it on an error drops
    what is queued. An error raised by ``consume`` is raised by the next ``put`` or on leaving.

    Args:
        consume: called on the thread.
        depth: most items held.
    """

    def __init__(self, consume: Callable[[T], None], depth: int) -> None:
        self.busy_seconds = 0.0
        self._consume = consume
        self._queue: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="vidstyle-encode", daemon=True)

    def _run(self) -> None:
        while not isinstance(item := self._queue.get(), _End):
            if self._cancelled.is_set():
                continue
            started = time.perf_counter()
            try:
                self._consume(item)
            except BaseException as error:  # noqa: BLE001  # handed to the producer, which raises it
                self._error = error
                self._cancelled.set()
            self.busy_seconds += time.perf_counter() - started
        self._ended.set()

    def put(self, item: T) -> None:
        """Hand over one item; waits while ``depth`` items are queued.

        Raises:
            BaseException: whatever ``consume`` raised for an earlier item.
        """
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def __enter__(self) -> Feeder[T]:
        try:
            self._thread.start()
        except BaseException:  # interrupted: the thread may run
            self._queue.put(_End())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._cancelled.set()
        try:
            self._stop()
        except BaseException:  # interrupted while waiting: what is queued no longer counts, but the thread must end
            self._cancelled.set()
            self._stop()
            raise
        if error is None and self._error is not None:
            raise self._error

    def _stop(self) -> None:
        self._queue.put(_End())  # the thread takes until it meets this, so there is always room in the end
        self._ended.wait()  # as in the prefetcher
        self._thread.join()
