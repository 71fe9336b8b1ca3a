"""Where pixels lie: windows, shapes and georeference."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rasterio.crs import CRS

_HALF_PIXEL = 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels: first row and column (0-based), height and width."""

    row: int
    col: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"rows {self.row}-{self.row + self.height - 1}, columns {self.col}-{self.col + self.width - 1}"


@dataclass(frozen=True, slots=True)
class Grid:
    """Shape and georeference of a raster.

    `transform` are the six numbers (a, b, c, d, e, f) of x = a col + b row + c, y = d col + e row + f, None where the
    file has none; `crs` is WKT, None where the file has none. The two are independent.
    """

    height: int
    width: int
    transform: tuple[float, float, float, float, float, float] | None = None
    crs: str | None = None

    @property
    def window(self) -> Window:
        """The whole grid."""
        return Window(0, 0, self.height, self.width)

    def holds(self, window: Window) -> bool:
        """Whether a window is not empty and lies inside."""
        return (
            min(window.row, window.col) >= 0
            and min(window.height, window.width) > 0
            and window.row + window.height <= self.height
            and window.col + window.width <= self.width
        )

    def difference(self, other: Grid) -> str:
        """How pixels of another grid lie elsewhere, as text with both values; empty where they coincide.

        What one side does not say contradicts nothing. Corners may be up to half a pixel apart: writers round.
        """
        if (self.height, self.width) != (other.height, other.width):
            return f"{self.height} x {self.width} pixels against {other.height} x {other.width}"
        if self.crs is not None and other.crs is not None and self.crs != other.crs:
            mine, theirs = CRS.from_wkt(self.crs), CRS.from_wkt(other.crs)
            if mine != theirs:
                return f"reference system {_short(mine)} against {_short(theirs)}"
        if self.transform is not None and other.transform is not None:
            a, b, _, d, e, _ = self.transform
            pixel = math.sqrt(abs(a * e - b * d))
            apart = max(map(math.dist, self._corners(), other._corners()))
            if apart > _HALF_PIXEL * pixel:
                return f"transform {tuple(self.transform)} against {tuple(other.transform)}"
        return ""

    def _corners(self) -> list[tuple[float, float]]:
        assert self.transform is not None
        a, b, c, d, e, f = self.transform
        places = [(x, y) for y in (0, self.height) for x in (0, self.width)]
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in places]


def _short(crs: CRS) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())
