"""From raster values of one legend to raster values of another, as a table over label rows. No pixels here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hieratk.crosswalk import Link, allowed
from hieratk.errors import TaxonomyError
from hieratk.remap.legend import Legend, encoding_of
from hieratk.taxonomy.tables import Lookup, Tables, compile_tables
from hieratk.taxonomy.tree import Taxonomy

Outcome = Literal["exact", "coarser", "void", "dropped", "undeclared"]

OUTCOMES: tuple[Outcome, ...] = ("exact", "coarser", "void", "dropped", "undeclared")
"""What becomes of a raster value.

exact: the target says the same, or the class at the level that is asked for. coarser: it says a class above. void: no
class, before and after (no data, clouds, `none` in a crosswalk). dropped: a class that the target cannot say.
undeclared: nobody knows what the value means. The last two lose pixels.
"""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a label row: the class or special value of the target ("" for nodata), the raster value, and why
    where a pixel is lost."""

    id: str
    to: str
    value: int
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RemapTable:
    """Raster value -> label row (`lookup`) -> fate (`fates`, one a row; row 0 is the undeclared value).

    Pixels are written in `legend`; `way` says how the two trees are connected.
    """

    source: Taxonomy
    lookup: Lookup
    fates: tuple[Fate, ...]
    legend: Legend
    way: str

    def values(self) -> NDArray[Any]:
        """(R,) what is written for each label row, in the type of the target raster."""
        return np.array([fate.value for fate in self.fates], np.int64).astype(self.legend.dtype)

    def losing(self) -> tuple[Fate, ...]:
        """The classes that cannot be written."""
        return tuple(fate for fate in self.fates if fate.outcome == "dropped")


def table(
    source: Taxonomy, legend: Legend, *, encoding: str | None = None, links: Mapping[str, Link] | None = None, way: str
) -> RemapTable:
    """The table from an encoding of `source` to a legend.

    Args:
        links: what a crosswalk says of the classes and specials of the source (`hieratk.crosswalk.resolve`); without
            it classes are themselves, by id, and one that the target lacks is the nearest class above it.

    A source class that may be any of several target classes becomes the deepest class above all of them that has a
    value in the legend. Raises TaxonomyError for an encoding that is not there.
    """
    read = encoding_of(source, encoding)
    compiled = compile_tables(source)
    finder = _Finder(source, compiled, legend, links)
    rows = [finder.fate(id_) for id_ in compiled.row_ids]
    return RemapTable(source, compiled.lookup(read.name), tuple(rows), legend, way)


class _Finder:
    """Finds what to write for a class."""

    def __init__(self, source: Taxonomy, tables: Tables, legend: Legend, links: Mapping[str, Link] | None) -> None:
        self.source, self.tables, self.legend, self.links = source, tables, legend, links
        self.target = legend.taxonomy
        self.special = {entry.id: entry.role for entry in source.special}
        self.roles: dict[str, str] = {}
        for entry in self.target.special:
            if entry.id in legend.values and entry.role != "nodata":
                self.roles.setdefault(entry.role, entry.id)

    def fate(self, id_: str) -> Fate:
        """What becomes of a class or special value; of "" the undeclared value."""
        if not id_:
            return Fate("", "", self.legend.nodata, "undeclared", "no class has this value")
        if id_ in self.special:
            return self._void(id_, self.special[id_])
        if self.legend.level is not None and self.links is None:
            return self._at_level(id_)
        if self.links is None:
            return self._itself(id_)
        link = self.links.get(id_)
        if link is None:
            return self._dropped(id_, "the crosswalk has no relation for it")
        if link.verb == "none":
            return self._none(id_, link)
        if link.verb in ("is", "within") and len(link.targets) == 1:
            return self._written(id_, link.targets[0], set(self.target.allowed(link.targets[0])))
        return self._several(id_, allowed(link, self.target))

    def _void(self, id_: str, role: str) -> Fate:
        link = self.links.get(id_) if self.links is not None else None
        if link is not None and link.verb == "none":
            return self._none(id_, link)
        same = id_ if self.links is None and id_ in self.legend.values and id_ not in self.target else None
        to = None if role == "nodata" else same or self.roles.get(role)
        return self._special(id_, to)

    def _none(self, id_: str, link: Link) -> Fate:
        named = link.targets[0] if link.targets else ""
        return self._special(id_, named if named in self.legend.values else self.roles.get(named))

    def _special(self, id_: str, to: str | None) -> Fate:
        nodata = any(entry.id == to and entry.role == "nodata" for entry in self.target.special)
        if to is None or nodata:
            return Fate(id_, "", self.legend.nodata, "void")
        return Fate(id_, to, self.legend.values[to], "void")

    def _dropped(self, id_: str, why: str) -> Fate:
        return Fate(id_, "", self.legend.nodata, "dropped", why)

    def _at_level(self, id_: str) -> Fate:
        level = self.legend.level
        assert level is not None
        index = int(self.tables.index[self.tables.row(id_), level])
        if index < 0:
            return self._dropped(id_, f"it says less than one class of level {self.legend.name}")
        to = self.tables.channel_ids(level)[index]
        return Fate(id_, to, self.legend.values[to], "exact")

    def _itself(self, id_: str) -> Fate:
        if id_ in self.legend.values and id_ in self.target:
            return Fate(id_, id_, self.legend.values[id_], "exact")
        if id_ in self.target:
            return self._several(id_, self.target.allowed(id_))
        above = next((one for one in self.source.ancestors(id_) if one in self.target), None)
        if above is None:
            return self._dropped(id_, f"`{self.target.id}` has neither it nor a class above it")
        return self._written(id_, above, None)

    def _several(self, id_: str, leaves: Iterable[str]) -> Fate:
        found = list(leaves)
        if not found:
            return self._dropped(id_, "no class of the target is left for it")
        common: str | None = found[0]
        for leaf in found[1:]:
            common = None if common is None else self.target.lca(common, leaf)
        if common is None:
            return self._dropped(id_, "it may be several classes that have nothing above them")
        return self._written(id_, common, set(found))

    def _written(self, id_: str, class_: str, leaves: set[str] | None) -> Fate:
        """The deepest class from `class_` upwards with a value that holds the leaves; exact where it holds no others.

        Without `leaves` the class only lies somewhere inside `class_`.
        """
        needed = set(self.target.allowed(class_)) if leaves is None else leaves
        for one in (class_, *self.target.ancestors(class_)):
            # A class above that is replaced or mixed does not mean what lies below it.
            held = set(self.target.allowed(one)) if one in self.legend.values else set()
            if needed and needed <= held:
                outcome: Outcome = "exact" if leaves is not None and held == needed else "coarser"
                return Fate(id_, one, self.legend.values[one], outcome)
        what = "it" if class_ == id_ else f"`{class_}`"
        path = {class_, *self.target.ancestors(class_)}
        others = [name for name, e in self.target.encodings.items() if path & {owner for _, _, owner in e.values}]
        way = f"; encoding {others[0]} has" if others else ""
        return self._dropped(id_, f"{self.legend.name} has no value for {what} or a class above it{way}")


def same_or_extends(source: Taxonomy, target: Taxonomy) -> str:
    """How two trees are one by their ids: the words for it, empty where they are not."""
    if source.id == target.id and source.fingerprint == target.fingerprint:
        return "the same tree"
    for base, grown in ((source, target), (target, source)):
        if grown.extends is not None and grown.extends.id == base.id:
            _require_pinned(base, grown)
            return f"{grown.id} extends {base.id}"
    return ""


def _require_pinned(base: Taxonomy, grown: Taxonomy) -> None:
    assert grown.extends is not None
    if base.version != grown.extends.version:
        raise TaxonomyError(
            f"`{grown.id}` grew from `{base.id}` {grown.extends.version}, and this is {base.version}; use that version,"
            f" or let `{grown.id}` extend this one"
        )
