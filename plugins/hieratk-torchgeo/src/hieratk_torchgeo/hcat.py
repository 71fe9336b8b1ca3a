"""EuroCrops' codes: the right way up HCAT, and label values for its classes.

An HCAT code has ten digits whose levels are 1, 1, 2, 2, 2 and 2 digits wide; what a class lacks below it is zero. The
class above is found by clearing the last level that is not zero. Clearing the last digit that is not zero, as torchgeo
0.8 does where a code is not among the chosen ones, leads to a sibling first for 108 of the 384 classes of HCAT 3
(3301061200 would go to 3301061000, another crop).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hieratk.errors import DataError
from hieratk.taxonomy.catalog import find, load
from hieratk.taxonomy.tree import Taxonomy

WIDTHS = (1, 1, 2, 2, 2, 2)
"""Digits of each level of a code."""


def above(code: str) -> str | None:
    """The code one level up, whether or not a class has it; None above the first level and for what is no HCAT code."""
    if len(code) != sum(WIDTHS) or not (code.isascii() and code.isdigit()):
        return None
    ends = [sum(WIDTHS[: k + 1]) for k in range(len(WIDTHS))]
    starts = [end - width for end, width in zip(ends, WIDTHS, strict=True)]
    deepest = max((k for k in range(len(WIDTHS)) if int(code[starts[k] : ends[k]])), default=0)
    return code[: starts[deepest]].ljust(len(code), "0") if deepest else None


def nearest_class(code: str, values: Mapping[str, int]) -> int:
    """The label value of a code, or of the nearest class above it that has one; 0 for none."""
    at: str | None = code.strip()
    while at is not None and at not in values:
        at = above(at)
    return values[at] if at is not None else 0


def label_values(taxonomy: Taxonomy) -> dict[str, int]:
    """Code -> label value, from 1 on in the order of the tree."""
    return {code: value for value, code in enumerate((n.code for n in taxonomy.nodes if n.code), 1)}


def write_tree(folder: Path) -> Path:
    """`eurocrops.yaml` in a folder: the shipped HCAT 3 with an encoding `default` (uint16) of those label values.

    HCAT has codes too large for a 32-bit raster and no values of its own. The file stands under HCAT's licence.
    """
    source = find("hcat3")
    taxonomy = load(source)
    if taxonomy.encodings:
        raise DataError(f"eurocrops: {source} has encodings of its own; take the tree that comes with hieratk")
    ids = {node.code: node.id for node in taxonomy.nodes if node.code}
    lines = [f"      {value}: {ids[code]}" for code, value in label_values(taxonomy).items()]
    text = source.read_text(encoding="utf-8").rstrip() + "\n\nspecial:\n  no_field: {role: unlabelled, pixel: 0}\n"
    text += "\nencodings:\n  default:\n    dtype: uint16\n    values:\n" + "\n".join(lines) + "\n"
    target, beside = folder / "eurocrops.yaml", folder / ".eurocrops.yaml.part"
    folder.mkdir(parents=True, exist_ok=True)
    beside.write_text(text, encoding="utf-8")
    beside.replace(target)
    return target
