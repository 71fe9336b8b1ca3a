"""What a raster shows: the classes of a tree, or of one of its levels, with raster values and colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hieratk.diagnostics import nearest
from hieratk.errors import ExchangeError
from hieratk.exchange.counting import number, some
from hieratk.exchange.records import MOST_VALUES
from hieratk.taxonomy.colors import color_of
from hieratk.taxonomy.tree import Encoding, Level, Role, Taxonomy


@dataclass(frozen=True, slots=True)
class Shown:
    """A class or special value as a legend lists it; `values` are raster values, first and last."""

    id: str
    name: str
    code: str | None = None
    color: str | None = None
    values: tuple[tuple[int, int], ...] = ()
    role: Role | None = None
    definition: str | None = None

    def each(self) -> Iterator[int]:
        """Its raster values, one by one."""
        for low, high in self.values:
            yield from range(low, high + 1)


@dataclass(frozen=True, slots=True)
class Legend:
    """The classes that a raster shows, in the order of the tree, specials last.

    `unclear` are classes with raster values that no single class of the level stands for.
    """

    shown: tuple[Shown, ...]
    encoding: Encoding | None
    unclear: tuple[Shown, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all that is shown."""
        return frozenset(entry.id for entry in self.shown)


def level_of(taxonomy: Taxonomy, level: str | None) -> Level | None:
    """The level of that name. Raises ExchangeError with the names there are."""
    if level is None:
        return None
    for row in taxonomy.levels:
        if row.name == level:
            return row
    close = nearest(level, taxonomy.level_names)
    way = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(taxonomy.level_names)}"
    raise ExchangeError(f"taxonomy `{taxonomy.id}` has no level `{level}`; {way}")


def choose(taxonomy: Taxonomy, level: Level | None, encoding: str | None) -> Encoding | None:
    """The encoding of that name; without one that of the level, else `default`, else the first; None where none is."""
    if encoding is not None:
        if encoding in taxonomy.encodings:
            return taxonomy.encodings[encoding]
        close = nearest(encoding, taxonomy.encodings)
        there = f"there are {', '.join(taxonomy.encodings)}" if taxonomy.encodings else "it has none"
        way = f"did you mean `{close[0]}`?" if close else there
        raise ExchangeError(f"taxonomy `{taxonomy.id}` has no encoding `{encoding}`; {way}")
    own = [e for e in taxonomy.encodings.values() if level is not None and e.level == level.index]
    default = [e for e in taxonomy.encodings.values() if e.name == "default"]
    return next(iter((*own, *default, *taxonomy.encodings.values())), None)


def legend(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Legend:
    """What a raster in an encoding shows: every class with a value of its own, or the classes of a level.

    With a level, a value counts for the one class of the level that holds all leaves the value allows.
    Raises ExchangeError for a level or an encoding that is not there.
    """
    row = level_of(taxonomy, level)
    chosen = choose(taxonomy, row, encoding)
    values: dict[str, list[tuple[int, int]]] = {}
    for low, high, owner in chosen.values if chosen is not None else ():
        values.setdefault(owner, []).append((low, high))
    specials = [
        Shown(entry.id, entry.name or entry.id, None, entry.color, tuple(values.pop(entry.id)), entry.role)
        for entry in taxonomy.special
        if entry.id in values
    ]
    lifted = values
    unclear: list[str] = []
    if row is None:
        ids = [node.id for node in taxonomy.nodes if node.id in values]
    else:
        ids = list(row.classes)
        lifted, unclear = _lifted(taxonomy, row, values)
    classes = [_shown(taxonomy, id_, tuple(sorted(lifted.get(id_, ())))) for id_ in ids]
    beyond = [_shown(taxonomy, id_, tuple(values[id_])) for id_ in unclear]
    return Legend((*classes, *specials), chosen, tuple(beyond))


def valued(taxonomy: Taxonomy, found: Legend, format_: str) -> list[Shown]:
    """The entries that have raster values, for formats that say nothing without one.

    Raises ExchangeError where there are none, and where listing every single value would take too many rows.
    """
    shown = [entry for entry in found.shown if entry.values]
    if not any(entry.role is None for entry in shown):
        raise ExchangeError(
            f"taxonomy `{taxonomy.id}` has no raster values for these classes, and {format_} is a list of raster"
            " values; csv, skos, coco, mlm and mermaid need none"
        )
    total = sum(high - low + 1 for entry in shown for low, high in entry.values)
    if total > MOST_VALUES:
        raise ExchangeError(
            f"encoding `{found.encoding.name if found.encoding else ''}` of `{taxonomy.id}` has {total} raster values;"
            f" {format_} lists each of them, and at most {MOST_VALUES} are written; csv and skos hold ranges"
        )
    return shown


def unclear_values(found: Legend) -> list[str]:
    """A sentence about raster values that no single class of the level stands for."""
    ids = [entry.id for entry in found.unclear]
    return [f"raster values of {number(len(ids), 'class', 'classes')} that no one class of the level holds {some(ids)}"
            ] if ids else []  # fmt: skip


def shown_color(taxonomy: Taxonomy, id_: str) -> str:
    """The colour of a class for formats that must have one: the one that maps have (`taxonomy.colors`)."""
    if id_ not in taxonomy:
        return next((s.color for s in taxonomy.special if s.id == id_ and s.color), "#000000")
    return "#{:02x}{:02x}{:02x}".format(*color_of(taxonomy, id_))


def made_up_colors(shown: list[Shown]) -> list[str]:
    """A sentence about colours that a format needs and the tree lacks."""
    ids = [entry.id for entry in shown if entry.color is None]
    what = number(len(ids), "entry has", "entries have")
    return [f"that {what} no colour: one was made up {some(ids)}"] if ids else []


def lost_roles(shown: list[Shown], *, but: str = "") -> list[str]:
    """A sentence about special values that a format lists as if they were classes; `but` is a role it can tell."""
    ids = [entry.id for entry in shown if entry.role not in (None, but)]
    what = number(len(ids), "special value is no class", "special values are no classes")
    return [f"that {what} {some(ids)}"] if ids else []


def _shown(taxonomy: Taxonomy, id_: str, values: tuple[tuple[int, int], ...]) -> Shown:
    node = taxonomy[id_]
    return Shown(id_, node.name or id_, node.code, node.color, values, None, node.definition)


def _lifted(
    taxonomy: Taxonomy, level: Level, values: dict[str, list[tuple[int, int]]]
) -> tuple[dict[str, list[tuple[int, int]]], list[str]]:
    """Raster values by class of the level, and the ids whose values no single class of it holds."""
    stands_in = set(level.classes)
    holder = {leaf: next(id_ for id_ in taxonomy.path(leaf) if id_ in stands_in) for leaf in taxonomy.leaves}
    lifted: dict[str, list[tuple[int, int]]] = {}
    unclear = []
    for owner, spans in values.items():
        holders = {holder[leaf] for leaf in taxonomy.allowed(owner)}
        if len(holders) == 1:
            lifted.setdefault(holders.pop(), []).extend(spans)
        else:
            unclear.append(owner)
    return lifted, unclear
