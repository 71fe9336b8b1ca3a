"""Windows: every pixel kept once, from deep inside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.prediction.windows import pieces


@settings(max_examples=200, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(1, 40), data=st.data())
def test_every_pixel_is_kept_once_and_deep_inside(height: int, width: int, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    kept = np.zeros((height, width), int)
    for piece in pieces(height, width, size=size, overlap=overlap):
        read, keep = piece.read, piece.keep
        assert read.height == min(size, height)
        assert read.width == min(size, width)
        assert 0 <= read.row <= read.row + read.height <= height
        assert 0 <= read.col <= read.col + read.width <= width
        kept[keep.row : keep.row + keep.height, keep.col : keep.col + keep.width] += 1
        for inner, outer, first, last, end in (
            (keep.row, read.row, keep.row + keep.height, read.row + read.height, height),
            (keep.col, read.col, keep.col + keep.width, read.col + read.width, width),
        ):
            assert outer <= inner < first <= last
            assert inner == outer == 0 or inner - outer >= overlap // 2
            assert first == last == end or last - first >= overlap // 2
    assert (kept == 1).all()


def test_overlap_must_be_smaller_than_the_window() -> None:
    with pytest.raises(ValueError, match="overlap 8 must be at least 0 and below the window size 8"):
        list(pieces(10, 10, size=8, overlap=8))
