"""A raster of classes into another legend, block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hieratk.errors import RasterError
from hieratk.rasters import Raster, RasterWriter, create
from hieratk.remap.gather import Gather, values_of
from hieratk.remap.survey import Seen, Survey, as_int64, class_band, file_nodata, windows
from hieratk.remap.table import Fate, Outcome, RemapTable
from hieratk.taxonomy.tables import UNDECLARED

Progress = Callable[[int, int], None]
Apply = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Count:
    """A raster value (or range), how many pixels had it, and what became of them."""

    seen: Seen
    fate: Fate


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of every value of a raster. `masked` pixels are those that the file's own mask takes out, `unlisted`
    have undeclared values beyond the first thousand."""

    table: RemapTable
    values: tuple[Count, ...]
    masked: int = 0
    unlisted: int = 0

    def pixels(self, outcome: Outcome) -> int:
        """Pixels with an outcome."""
        found = sum(one.seen.pixels for one in self.values if one.fate.outcome == outcome)
        return found + (self.masked if outcome == "void" else self.unlisted if outcome == "undeclared" else 0)

    @property
    def lost(self) -> int:
        """Pixels that had a class, or a value that nobody declares, and have none in the new raster."""
        return self.pixels("dropped") + self.pixels("undeclared")


class DroppedPixels(RasterError):
    """Pixels would lose their class. `counts` says which."""

    def __init__(self, message: str, counts: Counts) -> None:
        super().__init__(message)
        self.counts = counts


def remap(
    source: Path | str,
    output: Path | str,
    table: RemapTable,
    *,
    band: int = 1,
    allow_dropped: bool = False,
    progress: Progress | None = None,
) -> Counts:
    """Write a raster of classes in another legend (`hieratk.remap.table`), and count what became of every value.

    The new raster is a tiled GeoTIFF with the same georeference, one band, the legend's type, nodata value, names and
    colours (docs/geotiff.md). Pixels outside the file's own mask, and those with the nodata value that the file states
    where the encoding does not declare it, become nodata. Memory does not depend on the size of the raster.

    Raises DroppedPixels, and leaves nothing behind, where pixels would lose their class, unless `allow_dropped`;
    RasterError for a source that cannot be read or holds no integers, and for an output that cannot be written.
    """
    from hieratk import __version__

    legend = table.legend
    if Path(output).exists() and Path(output).resolve() == Path(source).resolve():
        raise RasterError(f"{output} is the source itself; write to another name")
    with Raster(source) as raster:
        dtype = class_band(raster, band)
        nodata = _void_value(table, raster, band)
        survey, apply = Survey(table.lookup, dtype), _apply(table, dtype)
        tags = {
            "HIERATK_VERSION": __version__,
            "HIERATK_TAXONOMY": f"{legend.taxonomy.id} {legend.taxonomy.version}",
            "HIERATK_FINGERPRINT": legend.taxonomy.fingerprint,
            "HIERATK_REMAPPED_FROM": f"{table.source.id} {table.source.version}",
        }
        with create(
            output,
            raster.grid,
            count=1,
            dtype=legend.dtype,
            nodata=legend.nodata,
            names=(legend.name,),
            tags=tags,
            band_tags=({"HIERATK_LEVEL": legend.name, "HIERATK_CLASSES": legend.tag()},),
            legends=(legend.entries(),),
        ) as sink:
            _stream(raster, sink, survey, apply, band=band, nodata=legend.nodata, progress=progress)
            counts = _counted(table, survey, nodata)
            if counts.lost and not allow_dropped:
                raise DroppedPixels(_refusal(counts), counts)
    return counts


def _stream(
    raster: Raster,
    sink: RasterWriter,
    survey: Survey,
    apply: Apply,
    *,
    band: int,
    nodata: int,
    progress: Progress | None,
) -> None:
    todo = list(windows(raster.grid, raster.info.block))
    for done, window in enumerate(todo, 1):
        pixels = raster.read(window, (band,))[0]
        mask = raster.read_mask(window)
        survey.add(pixels, window, mask)
        new = apply(pixels)
        if mask is not None:
            new[~mask] = nodata
        sink.write(new[None], window)
        if progress is not None:
            progress(done, len(todo))


def _apply(table: RemapTable, dtype: np.dtype[Any]) -> Apply:
    """From pixels (h, w) to new pixels, total over the type."""
    new = table.values()
    if dtype.itemsize <= 2:
        return Gather.of(new[table.lookup(values_of(dtype))])
    return lambda pixels: new[table.lookup(as_int64(pixels))]


def _void_value(table: RemapTable, raster: Raster, band: int) -> int | None:
    """The file's nodata value, where the encoding does not say what it is."""
    nodata = file_nodata(raster.info, band)
    if nodata is None or int(table.lookup(np.array([nodata]))[0]) != UNDECLARED:
        return None
    return nodata


def _counted(table: RemapTable, survey: Survey, nodata: int | None) -> Counts:
    empty = Fate("", "", table.legend.nodata, "void", "the file's nodata value")
    values = tuple(
        Count(seen, empty if seen.low == seen.high == nodata else table.fates[seen.row]) for seen in survey.seen()
    )
    return Counts(table, values, survey.masked, survey.unlisted)


def _refusal(counts: Counts) -> str:
    said = []
    for outcome in ("dropped", "undeclared"):
        worst = sorted((c for c in counts.values if c.fate.outcome == outcome), key=lambda c: -c.seen.pixels)
        for one in worst[:3]:
            name = f" ({one.fate.id})" if one.fate.id else ""
            said.append(f"value {one.seen}{name}, {one.seen.pixels:,} pixels: {one.fate.why}")
        if len(worst) > 3:
            said.append(f"and {len(worst) - 3} more {outcome} values")
    return (
        f"{counts.lost:,} pixels would lose their class: {'; '.join(said)}. Map them, or allow it with --allow-dropped;"
        " nothing was written"
    )
