"""Work on the CPU shared out by pieces: each piece runs on one thread from end to end.

torch splits every single operation over its threads and waits for all of them at its end. In a chain of a hundred short
operations that wait is most of the time, and all of it on a machine that has other work to do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")

MOST = 8
"""Threads at most, whatever torch may use: each has scratch of its own, and memory bandwidth is spent before."""


def width() -> int:
    """How many pieces run at once: as many threads as torch may use, up to `MOST`."""
    return min(torch.get_num_threads(), MOST)


def run_all(tasks: Iterable[Callable[[], T]], threads: int) -> list[T]:
    """Results of all tasks in their order, on `threads` threads on which torch's operations are not split further.

    Without gradient recording. One thread means the calling one, where torch may split as it likes.
    """
    if threads == 1:
        return [task() for task in tasks]
    return list(_pool(os.getpid(), threads).map(_without_grad, tasks))


def _without_grad(task: Callable[[], T]) -> T:
    # The mode is a thread's own: that the caller has it switched off says nothing here.
    with torch.no_grad():
        return task()


def _undivided() -> None:
    """Keep torch's operations on this thread whole."""
    # Asked for first, because a thread takes over the setting of the process when it is asked for the first time.
    torch.get_num_threads()
    torch.set_num_threads(1)


@cache
def _pool(_process: int, threads: int) -> ThreadPoolExecutor:
    """Threads with torch's number of threads set to 1; one pool a process, as a forked child inherits no threads.

    Each thread keeps that number for itself. What a new thread starts with is one setting of the process, though, which
    the workers' calls change too. So all start now, and the setting is put back.
    """
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "hieratk", initializer=_undivided)
    together = Barrier(threads)
    for waiting in [pool.submit(together.wait) for _ in range(threads)]:
        waiting.result()
    torch.set_num_threads(before)
    return pool
