"""Garbage collection, paused while a document is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Iterator[None]:
    """Pause the cyclic garbage collector.

    A document becomes some hundred thousand small objects, none of them in a cycle; the collector walks all of them
    again and again as they grow, which takes half of the time for a tree of 16,000 classes. Reference counting goes on.
    The pause holds for the process: another thread that makes cycles keeps them until it ends.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
