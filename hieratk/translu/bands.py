"""Which band of the target's images stands for which band that the source model knows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hieratk.errors import TransferError
from hieratk.translu.network import SourceView

_UNNAMED = re.compile(r"band \d+")

Moments = tuple[Sequence[float], Sequence[float]]


def source_view(
    source_names: Sequence[str],
    source: Moments,
    target_names: Sequence[str],
    target: Moments,
    *,
    bands: Sequence[int] | None,
    statistics: str | None,
) -> SourceView:
    """How the source model sees target images.

    Args:
        source_names, target_names: descriptions of the bands that each side uses.
        source, target: their means and standard deviations, by which each side normalises.
        bands: for each source band the 1-based target band that stands for it, 0 for none. None takes bands of equal
            name (case and blanks aside) where all bands of both sides have names, else the bands in their order.
        statistics: "own" leaves the image as the target normalises it, which is right where the sensors differ;
            "source" undoes that and normalises as the source did, right for one sensor in two places. None takes
            "source" where the bands correspond by name or by order, "own" where `bands` is given.

    Raises TransferError where bands do not correspond.
    """
    found = _stated(bands, len(source_names), len(target_names)) if bands is not None else None
    if found is None:
        found = _by_name(source_names, target_names)
    if found is None:
        if len(source_names) != len(target_names):
            raise TransferError(
                f"the source model reads {len(source_names)} bands ({', '.join(source_names)}), the images have "
                f"{len(target_names)} ({', '.join(target_names)}), and their names do not tell which is which; give "
                f"`transfer.bands`: for each of the {len(source_names)} source bands a band of the images, 0 for none"
            )
        found = list(range(len(source_names)))
    kind = statistics or ("own" if bands is not None else "source")
    if kind == "own":
        return SourceView(found)
    gain, offset = [], []
    for band, mean, std in zip(found, *source, strict=True):
        if band < 0:
            gain.append(1.0)
            offset.append(0.0)
            continue
        scale = std or 1.0
        gain.append((target[1][band] or 1.0) / scale)
        offset.append((target[0][band] - mean) / scale)
    return SourceView(found, gain=gain, offset=offset)


def _stated(bands: Sequence[int], source: int, target: int) -> list[int]:
    if len(bands) != source:
        raise TransferError(
            f"transfer.bands has {len(bands)} numbers, the source model reads {source} bands; give one for each"
        )
    wrong = [band for band in bands if not 0 <= band <= target]
    if wrong:
        raise TransferError(f"transfer.bands names band {wrong[0]}; the images have bands 1 to {target}, 0 means none")
    if not any(bands):
        raise TransferError("transfer.bands gives the source model no band at all; at least one must correspond")
    return [band - 1 for band in bands]


def _by_name(source: Sequence[str], target: Sequence[str]) -> list[int] | None:
    """Positions by name, or None where a band has no name, or no name is shared."""
    if any(_UNNAMED.fullmatch(name) for name in (*source, *target)):
        return None
    at = {_plain(name): place for place, name in enumerate(target)}
    found = [at.get(_plain(name), -1) for name in source]
    if len(at) < len(target) or all(band < 0 for band in found):
        return None
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
