"""Rows of a legend to a tree: ids, order, levels, raster values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from hieratk.errors import ExchangeError
from hieratk.exchange.counting import number, some
from hieratk.exchange.records import LONGEST_NAME, LONGEST_TEXT, Found, Row, check_count
from hieratk.taxonomy.spec import DTYPE_RANGES, ID_LONGEST, ID_PATTERN
from hieratk.taxonomy.tree import Dtype, Encoding, Node, Special, Taxonomy

_DTYPES: tuple[Dtype, ...] = ("uint8", "uint16", "int16", "uint32", "int32")
_ID = re.compile(ID_PATTERN)
_DEEPEST = 60
"""Levels of an imported tree: the notation nests at most 64 mappings."""

Spans = tuple[tuple[int, int], ...]


def is_id(text: str) -> bool:
    """Whether a text can be the id of a class."""
    return len(text) <= ID_LONGEST and _ID.fullmatch(text) is not None


def slug(text: str) -> str:
    """A text as an id, or an empty text where nothing of it is left (Chinese, Arabic, ...)."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain.replace("'", "")).strip("_")
    if words and not words[0].isalpha():
        words = f"c_{words}"
    return words[:ID_LONGEST].rstrip("_")


def build(found: Found, *, id: str) -> tuple[Taxonomy, list[str]]:
    """The tree of rows, and what was decided on the way.

    Children keep the order of the rows. Raises ExchangeError with the places of rows that do not fit together: a key
    or code twice, a parent that is missing or below its own child, one raster value for two classes.
    """
    rows = _keyed(found.rows)
    _check_parents(rows)
    _check_codes(rows)
    ids = _ids(rows)
    guesses: list[str] = []
    nodes = _nodes(rows, ids)
    levels, renamed = _level_names(found.level_names, max((node.level for node in nodes), default=-1) + 1)
    guesses += renamed
    encodings, split = _encodings(rows, ids, nodes, levels)
    guesses += split
    special = [
        Special(ids[row.key], row.role, row.name or ids[row.key].replace("_", " "), row.texts.get("labels", {}),
                row.color, row.texts.get("note"))
        for row in rows.values()
        if row.role is not None
    ]  # fmt: skip
    taxonomy = Taxonomy(
        id=id, nodes=tuple(nodes), level_names=levels, special=tuple(special), encodings=encodings, **found.head
    )
    return taxonomy, guesses


def merged(values: Iterable[tuple[int, int]]) -> Spans:
    """Raster values in ascending order, neighbours joined into ranges, repetitions left out."""
    spans: list[tuple[int, int]] = []
    for low, high in sorted(values):
        if spans and low <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(high, spans[-1][1]))
        else:
            spans.append((low, high))
    return tuple(spans)


def _keyed(rows: Sequence[Row]) -> dict[str, Row]:
    if not any(row.role is None for row in rows):
        raise ExchangeError("the file holds no classes; is it the right one?")
    check_count("the file", len(rows))
    keyed: dict[str, Row] = {}
    for row in rows:
        _check_length(row)
        first = keyed.setdefault(row.key, row)
        if first is not row:
            raise ExchangeError(f"{row.place}: `{row.key}` is there already, at {first.place}; each class has one row")
    return keyed


def _check_length(row: Row) -> None:
    texts = [text for text in row.texts.values() if isinstance(text, str)]
    longest = max((len(text) for text in texts), default=0)
    for what, length, most in (
        ("name", len(row.name), LONGEST_NAME),
        ("code", len(row.code or ""), LONGEST_NAME),
        ("text", longest, LONGEST_TEXT),
    ):
        if length > most:
            raise ExchangeError(f"{row.place}: a {what} of {length} characters; at most {most} are read")


def _check_parents(rows: Mapping[str, Row]) -> None:
    for row in rows.values():
        above = row.parent
        if above is None:
            continue
        if above not in rows:
            raise ExchangeError(f"{row.place}: the parent `{above}` of `{row.key}` is not in the file; add its row")
        if rows[above].role is not None or row.role is not None:
            raise ExchangeError(f"{row.place}: `{row.key}` below `{above}`: a value that is no class stands alone")
    done: set[str] = set()
    for start in rows:
        way: dict[str, None] = {}
        key: str | None = start
        while key is not None and key not in done:
            if key in way:
                loop = [*list(way)[list(way).index(key) :], key]
                raise ExchangeError(
                    f"{rows[key].place}: `{key}` stands above itself: {' -> '.join(loop)}; correct one of the parents"
                )
            way[key] = None
            key = rows[key].parent
        done.update(way)


def _check_codes(rows: Mapping[str, Row]) -> None:
    first: dict[str, Row] = {}
    for row in rows.values():
        other = first.setdefault(row.code, row) if row.code is not None and row.role is None else row
        if other is not row:
            raise ExchangeError(f"{row.place}: code `{row.code}` is used already, at {other.place}; codes are unique")


def _ids(rows: Mapping[str, Row]) -> dict[str, str]:
    """An id for every row: its own, else one made of its name or code; never the code of another class (T007)."""
    owners: dict[str, str] = {}
    for row in rows.values():
        if row.id is not None:
            if not is_id(row.id):
                raise ExchangeError(
                    f"{row.place}: `{row.id}` cannot be an id: lower-case letters, digits and single underscores, a"
                    f" letter first, at most {ID_LONGEST} characters; write {slug(row.id) or 'class_1'}"
                )
            if owners.setdefault(row.id, row.key) != row.key:
                raise ExchangeError(f"{row.place}: the id `{row.id}` is used already; ids are unique")
    codes = {row.code: row.key for row in rows.values() if row.code is not None}
    ids = {key: id_ for id_, key in owners.items()}
    counts: dict[str, int] = {}
    for row in rows.values():
        if row.id is not None:
            continue
        stem = slug(row.name) or slug(f"c_{row.code}" if row.code else "") or "class"
        candidate = stem
        while candidate in owners or codes.get(candidate, row.key) != row.key:
            counts[stem] = counts.get(stem, 1) + 1
            tail = f"_{counts[stem]}"
            candidate = stem[: ID_LONGEST - len(tail)].rstrip("_") + tail
        owners[candidate] = row.key
        ids[row.key] = candidate
    return ids


def _nodes(rows: Mapping[str, Row], ids: Mapping[str, str]) -> list[Node]:
    """The classes, depth first."""
    children: dict[str | None, list[str]] = {}
    for row in rows.values():
        if row.role is None:
            children.setdefault(row.parent, []).append(row.key)
    nodes: list[Node] = []
    stack = [(key, -1) for key in reversed(children.get(None, ()))]
    while stack:
        key, above = stack.pop()
        row = rows[key]
        level = above + 1 if row.level is None else row.level
        if level <= above:
            raise ExchangeError(
                f"{row.place}: `{key}` is on level {level + 1}, and its parent `{row.parent}` on level {above + 1};"
                " a parent stands on a coarser level"
            )
        if level >= _DEEPEST:
            raise ExchangeError(f"{row.place}: `{key}` is on level {level + 1}; at most {_DEEPEST} levels are read")
        below = children.get(key, [])
        nodes.append(_node(row, ids, level, below))
        stack.extend((child, level) for child in reversed(below))
    return nodes


def _node(row: Row, ids: Mapping[str, str], level: int, children: Sequence[str]) -> Node:
    for what, keys in (("part", row.parts), ("further parent", row.also)):
        for key in keys:
            if key not in ids:
                raise ExchangeError(f"{row.place}: the {what} `{key}` of `{row.key}` is not in the file")
    old = row.deprecated
    if old is not None:
        gone = [key for key in old.use if key not in ids]
        if gone:
            raise ExchangeError(f"{row.place}: `{gone[0]}`, which replaces `{row.key}`, is not in the file")
        old = replace(old, use=tuple(ids[key] for key in old.use))
    id_ = ids[row.key]
    return Node(
        id=id_,
        level=level,
        parent=ids[row.parent] if row.parent is not None else None,
        children=tuple(ids[child] for child in children),
        name=row.name or id_.replace("_", " "),
        code=row.code,
        kind=row.kind,
        color=row.color,
        parts=MappingProxyType({ids[key]: share for key, share in row.parts.items()}),
        also=tuple(ids[key] for key in row.also),
        deprecated=old,
        **row.texts,
    )


def _level_names(names: Sequence[str], depth: int) -> tuple[tuple[str, ...], list[str]]:
    usual = tuple(f"level{i + 1}" for i in range(depth))
    if len(names) < depth:
        return usual, []
    made = tuple(name if is_id(name) else slug(name) for name in names)
    if not all(made) or len(set(made)) < len(made):
        return usual, [f"the names of {number(len(names), 'level')} {some(names)} cannot be ids: numbered instead"]
    changed = [f"{name} as {id_}" for name, id_ in zip(names, made, strict=True) if name != id_]
    return made, [f"names of levels written as ids: {', '.join(changed)}"] if changed else []


@dataclass(frozen=True, slots=True)
class _Claim:
    low: int
    high: int
    row: Row
    level: int | None


def _encodings(
    rows: Mapping[str, Row], ids: Mapping[str, str], nodes: Sequence[Node], levels: Sequence[str]
) -> tuple[dict[str, Encoding], list[str]]:
    at = {node.id: node.level for node in nodes}
    claims = sorted(
        (_Claim(low, high, row, at.get(ids[row.key])) for row in rows.values() for low, high in merged(row.values)),
        key=lambda claim: (claim.low, claim.high),
    )
    if not claims:
        return {}, []
    clash = _clash(claims)
    if clash is None:
        return {"default": _encoding("default", claims, ids, None)}, []
    # Values that repeat between levels, but on no level, are one raster a level (GID, MM-5B).
    by_level = [[claim for claim in claims if claim.level in (None, level)] for level in range(len(levels))]
    if any(_clash(group) is not None for group in by_level):
        first, second = clash
        low = max(first.low, second.low)
        raise ExchangeError(
            f"{second.row.place}: raster value {low} of `{second.row.key}` is that of `{first.row.key}` already, at"
            f" {first.row.place}; one value means one class"
        )
    found = {
        name: _encoding(name, group, ids, level)
        for level, (name, group) in enumerate(zip(levels, by_level, strict=True))
        if any(claim.level == level for claim in group)
    }
    return found, [f"raster values repeat between the levels: read as one encoding a level {some(list(found))}"]


def _clash(claims: Sequence[_Claim]) -> tuple[_Claim, _Claim] | None:
    last: _Claim | None = None
    for claim in claims:
        if last is not None and claim.low <= last.high:
            return last, claim
        last = claim
    return None


def _encoding(name: str, claims: Sequence[_Claim], ids: Mapping[str, str], level: int | None) -> Encoding:
    low, high = min(claim.low for claim in claims), max(claim.high for claim in claims)
    for dtype in _DTYPES:
        if DTYPE_RANGES[dtype][0] <= low and high <= DTYPE_RANGES[dtype][1]:
            values = tuple((claim.low, claim.high, ids[claim.row.key]) for claim in claims)
            return Encoding(name, dtype, values, level)
    wide = next((claim for claim in claims if not -(2**31) <= claim.low <= claim.high < 2**32), claims[0])
    raise ExchangeError(
        f"{wide.row.place}: raster values {low} to {high} fit no integer type of 32 bits; is the column of values a"
        " column of codes?"
    )
