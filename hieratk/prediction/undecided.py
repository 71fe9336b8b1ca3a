"""The legend of a map that may leave levels open: one more value, "not decided", in every band."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from hieratk.errors import TaxonomyError
from hieratk.prediction.legend import BandLegend, Legend
from hieratk.taxonomy.tree import Taxonomy

ID = "not-decided"
"""What metadata calls the value. No class can have this id: ids have no hyphen."""

NAME = "not decided at this level"
COLOR = (190, 190, 190)
_DTYPES = ("uint8", "uint16", "int16", "int32", "uint32")


def with_undecided(legend: Legend, taxonomy: Taxonomy) -> Legend:
    """The legend with one value more, the last of every band: a class index of -1 finds it.

    The value is the largest of the dtype that neither the map nor any encoding of the tree uses, the same in all bands;
    where there is none, of the next wider dtype. It differs from nodata: there is an observation, and the coarser bands
    may well hold a class. Raises TaxonomyError where no dtype has a value left.
    """
    used = {int(value) for band in legend.bands for value in band.values} | {legend.nodata}
    ranges = [(low, high) for e in taxonomy.encodings.values() for low, high, _ in e.values]
    lowest, highest = min(used), max(used)
    for dtype in _DTYPES[_DTYPES.index(legend.dtype) :]:
        info = np.iinfo(dtype)
        if lowest < info.min or highest > info.max:
            continue
        # Beyond the largest value in use, one of every encoding's too, there is room in any wider type.
        for value in range(int(info.max), max(int(info.max) - 65536, 0), -1):
            if value not in used and not any(low <= value <= high for low, high in ranges):
                bands = tuple(_more(band, value) for band in legend.bands)
                return Legend(bands, dtype, legend.nodata)
    raise TaxonomyError(f'`{taxonomy.id}` leaves no raster value free for "{NAME}"; predict with --risk 1')


def _more(band: BandLegend, value: int) -> BandLegend:
    return replace(
        band,
        classes=(*band.classes, ID),
        names=(*band.names, NAME),
        values=np.append(band.values, value),
        colors=(*band.colors, COLOR),
    )


def tags(threshold: float, risk: float, temperatures: tuple[float, ...]) -> dict[str, str]:
    """What the file says about how it was decided."""
    return {
        "HIERATK_RISK": f"{risk:g}",
        "HIERATK_THRESHOLD": repr(threshold),
        "HIERATK_TEMPERATURES": json.dumps(list(temperatures)),
    }
