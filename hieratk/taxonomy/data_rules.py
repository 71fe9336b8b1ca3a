"""Rules about compiled trees (C001-C004), and how findings of family C look: they have no place in a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hieratk.diagnostics import Severity
from hieratk.taxonomy.rulebook.data import RULES
from hieratk.taxonomy.tree import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Sequence

INDEX_TYPES = {"uint8": 255, "int16": 2**15, "int32": 2**31, "int64": 2**63}
"""How many classes a level may have in each index type: one value of uint8 stands for no label."""

_HEADS = {rule.code: (rule.name, rule.severity) for rule in RULES}
_LISTED = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule of family C says. `place` is a (row, column) of a raster, counted from 0, or None."""

    code: str
    name: str
    severity: Severity
    message: str
    help: str = ""
    place: tuple[int, int] | None = None


def finding(code: str, message: str, *, help: str = "", place: tuple[int, int] | None = None) -> Finding:
    """A finding with the name and severity of its rule."""
    name, severity = _HEADS[code]
    return Finding(code, name, severity, message, help, place)


def few(words: Sequence[str], *, limit: int = _LISTED) -> str:
    """The first ones of a list, and how many more there are."""
    more = f", and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more


def check_tables(taxonomy: Taxonomy, *, index: str = "int64", encoding: str | None = None) -> list[Finding]:
    """What is wrong with a tree once it is compiled: with that index type, and for rasters of that encoding, if any."""
    return [*_sizes(taxonomy, index), *_encoding(taxonomy, encoding), *_overlaps(taxonomy)]


def _sizes(taxonomy: Taxonomy, index: str) -> Iterator[Finding]:
    for level in taxonomy.levels:
        if len(level) > INDEX_TYPES[index]:
            yield finding(
                "C001",
                f"level {level.name} has {len(level)} classes, and {index} has room for {INDEX_TYPES[index]}",
                help="choose a wider index type",
            )
        if len(level) == 1:
            yield finding("C002", f"level {level.name} has the single class `{level.classes[0]}`")


def _encoding(taxonomy: Taxonomy, name: str | None) -> Iterator[Finding]:
    if name is None:
        return
    found = taxonomy.encodings.get(name)
    owners = {owner for _, _, owner in found.values} if found is not None else set()
    if not owners.intersection(taxonomy.leaves):
        yield finding(
            "C003",
            f"no leaf has a value in encoding `{name}`",
            help="give the leaves pixel values, or choose another encoding",
        )


def _overlaps(taxonomy: Taxonomy) -> Iterator[Finding]:
    for level in taxonomy.levels:
        here = set(level.classes)
        both = []
        for node in taxonomy.nodes:
            for other in node.also:
                above = [id_ for id_ in (other, *taxonomy.ancestors(other)) if id_ in here]
                own = [id_ for id_ in taxonomy.path(node.id) if id_ in here]
                if above and own and above[0] != own[0] and node.id not in here:
                    both.append(f"`{node.id}` is in `{own[0]}` and `{above[0]}`")
        if both:
            yield finding("C004", f"classes of level {level.name} overlap: {few(both)}")
