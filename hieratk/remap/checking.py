"""A raster against the legend that it is said to be written in (rules C005-C008)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hieratk.exchange.counting import number
from hieratk.rasters import Raster, RasterInfo
from hieratk.remap.legend import encoding_of
from hieratk.remap.survey import Seen, Survey, class_band, file_nodata, windows
from hieratk.taxonomy.data_rules import Finding, few, finding
from hieratk.taxonomy.tables import UNDECLARED, compile_tables
from hieratk.taxonomy.tree import Encoding, Taxonomy


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a raster: findings, every value with its count, masked pixels, and undeclared pixels beyond the
    values that are listed."""

    findings: tuple[Finding, ...]
    values: tuple[Seen, ...]
    masked: int
    unlisted: int


def check_raster(path: Path | str, taxonomy: Taxonomy, *, encoding: str | None = None, band: int = 1) -> Checked:
    """Compare a raster of classes with an encoding of a tree; reads every pixel once, block by block.

    Pixels outside the file's own mask are not looked at; those with the nodata value that the file states are no
    undeclared ones. Raises RasterError for a raster that cannot be read or holds no integers, TaxonomyError for an
    encoding that is not there.
    """
    stated = encoding_of(taxonomy, encoding)
    lookup = compile_tables(taxonomy).lookup(stated.name)
    with Raster(path) as raster:
        survey = Survey(lookup, class_band(raster, band))
        for window in windows(raster.grid, raster.info.block):
            survey.add(raster.read(window, (band,))[0], window, raster.read_mask(window))
        info = raster.info
    seen = survey.seen()
    nodata = file_nodata(info, band)
    undeclared = [one for one in seen if one.row == UNDECLARED and one.low != nodata]
    found = [
        *_undeclared(undeclared, stated, survey.unlisted),
        *_absent(seen, stated),
        *_nodata(nodata, stated, taxonomy),
        *_colors(info, band, stated, taxonomy),
    ]
    return Checked(tuple(found), seen, survey.masked, survey.unlisted)


def _undeclared(values: Sequence[Seen], encoding: Encoding, unlisted: int) -> Iterator[Finding]:
    if not values:
        return
    worst = sorted(values, key=lambda one: -one.pixels)
    listed = few([f"{one} ({number(one.pixels, 'pixel')})" for one in worst])
    pixels = sum(one.pixels for one in values) + unlisted
    first = min((one for one in values if one.first is not None), key=lambda one: one.first or (0, 0))
    assert first.first is not None
    row, column = first.first
    said = number(pixels, "pixel holds a value", "pixels hold values")
    yield finding(
        "C005",
        f"{said} that encoding `{encoding.name}` does not declare: {listed}",
        help=f"the first is {first} at row {row}, column {column}; declare them, or name another encoding",
        place=first.first,
    )


def _absent(seen: Sequence[Seen], encoding: Encoding) -> Iterator[Finding]:
    low, high = np.array([one.low for one in seen], np.int64), np.array([one.high for one in seen], np.int64)
    absent: dict[str, list[str]] = {}
    present = set()
    for first, last, owner in encoding.values:
        if ((low <= last) & (high >= first)).any():
            present.add(owner)
        else:
            absent.setdefault(owner, []).append(str(first) if first == last else f"{first}..{last}")
    never = [f"{', '.join(spans)} ({owner})" for owner, spans in absent.items() if owner not in present]
    if never:
        said = number(len(never), "declared class never occurs", "declared classes never occur")
        yield finding("C006", f"{said}: {few(never)}")


def _nodata(nodata: int | None, encoding: Encoding, taxonomy: Taxonomy) -> Iterator[Finding]:
    roles = {entry.id: entry.role for entry in taxonomy.special}
    owners = {value: owner for low, high, owner in encoding.values for value in (low, high)}
    declared = [low for low, _, owner in encoding.values if roles.get(owner) == "nodata"]
    declared += [encoding.nodata] if encoding.nodata is not None else []
    said = " or ".join(map(str, dict.fromkeys(declared)))
    if nodata is None:
        return
    if not any(low <= nodata <= high for low, high, owner in encoding.values if roles.get(owner) == "nodata") and (
        nodata != encoding.nodata
    ):
        means = f", which means `{owners[nodata]}`" if nodata in owners else ""
        tree = f"the tree declares {said}" if said else "the tree declares no nodata value"
        yield finding(
            "C007",
            f"the nodata tag is {nodata}{means}; {tree}",
            help="correct the tag (gdal_edit.py -a_nodata), or declare the value under `special` with role nodata",
        )


def _colors(info: RasterInfo, band: int, encoding: Encoding, taxonomy: Taxonomy) -> Iterator[Finding]:
    table = info.colormaps[band - 1]
    if not table:
        return
    stated = {node.id: node.color for node in taxonomy.nodes} | {entry.id: entry.color for entry in taxonomy.special}
    different = []
    for low, high, owner in encoding.values:
        color = stated.get(owner)
        for value in range(low, min(high, low + 255) + 1):
            shown = table.get(value)
            if color is not None and shown is not None and "#{:02x}{:02x}{:02x}".format(*shown[:3]) != color.lower():
                different.append(f"{value} ({owner}) is #{shown[0]:02x}{shown[1]:02x}{shown[2]:02x}, not {color}")
    if different:
        said = number(len(different), "colour differs", "colours differ")
        yield finding("C008", f"{said}: {few(different, limit=3)}")
