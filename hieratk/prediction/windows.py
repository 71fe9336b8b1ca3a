"""How a scene is cut into overlapping windows, of which each keeps the part that lies deepest inside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from hieratk.rasters import Window


@dataclass(frozen=True, slots=True)
class Piece:
    """`read` is what the network sees, `keep` (within it) what the map takes from it."""

    read: Window
    keep: Window


def pieces(height: int, width: int, *, size: int, overlap: int) -> Iterator[Piece]:
    """Windows of `size` pixels whose neighbours share at least `overlap` pixels, row by row.

    Every pixel is kept exactly once, from a window in which it lies at least `overlap // 2` pixels inside each edge
    that is
    not an edge of the scene. So the map does not depend on where the windows fall, as far as the network looks no
    further than that. A scene smaller than a window is one window. Raises ValueError unless 0 <= overlap < size.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap {overlap} must be at least 0 and below the window size {size}")
    columns = list(_cuts(width, size, overlap))
    for row, tall, top, bottom in _cuts(height, size, overlap):
        for column, wide, left, right in columns:
            yield Piece(Window(row, column, tall, wide), Window(top, left, bottom - top, right - left))


def _cuts(length: int, size: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, size, first kept, end of kept) along one axis."""
    if length <= size:
        yield 0, length, 0, length
        return
    starts = [*range(0, length - size, size - overlap), length - size]
    # Neighbours meet in the middle of what they share.
    seams = [0, *((a + size + b) // 2 for a, b in pairwise(starts)), length]
    for start, first, end in zip(starts, seams[:-1], seams[1:], strict=True):
        yield start, size, first, end
