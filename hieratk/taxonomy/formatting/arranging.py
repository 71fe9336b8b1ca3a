"""From the values of a document, with their places, to its layout."""

from __future__ import annotations

import re

from hieratk.diagnostics import Source
from hieratk.documents import Mapping, Scalar, Sequence, Value, as_number
from hieratk.taxonomy import spec
from hieratk.taxonomy.formatting.comments import Comments, Post, Spot, trimmed
from hieratk.taxonomy.formatting.layout import Entry, Group, Text, text
from hieratk.taxonomy.formatting.layout import Value as Laid
from hieratk.taxonomy.formatting.places import Place
from hieratk.taxonomy.formatting.scalars import odd, quoted, survives_plain

FLOW_LEAVES = 4
"""Leaves of a class in the outline that stand on its own line."""

FLOW_ITEMS = 3
"""Items of a list on the line of a class."""

_APART = frozenset({"definition", "deprecated"})
_NUMBER = re.compile(r"[-+]?[0-9.]+(\.\.[-+]?[0-9.]+)?")
_ID = re.compile(spec.ID_PATTERN)
_COLOR = re.compile(spec.COLOR_PATTERN)
_PLACE = Place()


def arrange(source: Source, document: Mapping, place: Place) -> tuple[Group, list[str]]:
    """The layout of a document, and its comments in the order of the text. The text has LF line breaks only."""
    work = _Arranging(source)
    root = work.mapping(document, place, None, None)
    comments = Comments(source, document, work.spots, work.posts)
    comments.attach()
    # Order of keys, and what wants lines of its own, once every comment has found its entry.
    for group, kind in work.orders:
        known = {name: position for position, name in enumerate(kind.keys)}
        group.entries.sort(key=lambda entry: known.get(entry.key.said if entry.key else "", len(known)))
    _collapse(work)
    return root, comments.texts


def one_line_class(group: Group) -> bool:
    """Whether an entry under `classes` may stand on one line, as far as its content goes (notation 3.11, 4)."""
    for entry in group.entries:
        if entry.key is not None and entry.key.said in _APART:
            return False
        value = entry.value
        if isinstance(value, Group) and not value.mapping and len(value.entries) > FLOW_ITEMS:
            return False
    return True


def one_line_branch(group: Group) -> bool:
    """Whether the children of a class in the outline may stand on its line: few, all of them leaves with a value."""
    return len(group.entries) <= FLOW_LEAVES and all(
        entry.value.block if isinstance(entry.value, Text) else not entry.value.mapping for entry in group.entries
    )


def _collapse(work: _Arranging) -> None:
    """At most one blank line, and none behind the last comment."""
    for post in work.posts:
        above = post.entry.above
        if above:
            post.entry.above = [line for i, line in enumerate(above) if line or not i or above[i - 1]]


class _Arranging:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.spots: list[Spot] = []
        self.posts: list[Post] = []
        self.orders: list[tuple[Group, Place]] = []

    def value(self, value: Value, place: Place, owner: Entry | None, parent: Spot, base: int) -> Laid:
        """The layout of a value; `base` is the column of the key or dash that holds it."""
        if isinstance(value, Scalar):
            return self.scalar(value, place, base)
        if isinstance(value, Mapping):
            return self.mapping(value, place, owner, parent)
        return self.sequence(value, place, owner, parent)

    def mapping(self, value: Mapping, place: Place, owner: Entry | None, parent: Spot | None) -> Group:
        """The layout of a mapping. Its entries keep their order here."""
        group = Group([], block=place.block or (place.keep and not value.flow), aligned=place.aligned)
        spot = self._spot(group, value, owner, parent)
        if place.keys:
            self.orders.append((group, place))
        for key, item in value.entries:
            start = key.span.start
            column = self._column(start)
            entry = Entry(text(""), self.key(key, place), written=(key, item))
            group.entries.append(entry)
            row = self.source.position(start)[0]
            self.posts.append(Post(entry, start, item.span.start, row, column, spot))
            inner = place.keys.get(key.text) or place.every or _inherited(place)
            entry.value = self.value(item, inner, entry, spot, column)
        spot.end = self._end(value, spot)
        if place.entry and not one_line_class(group):
            group.block = True
        if place.outline and not one_line_branch(group):
            group.block = True
        return group

    def sequence(self, value: Sequence, place: Place, owner: Entry | None, parent: Spot) -> Group:
        """The layout of a list."""
        group = Group([], mapping=False, block=place.block or (place.keep and not value.flow))
        spot = self._spot(group, value, owner, parent)
        for item in value.items:
            start = item.span.start
            column = self._column(start) if value.flow else self._column(self._dash(start))
            entry = Entry(text(""), written=(None, item))
            group.entries.append(entry)
            self.posts.append(Post(entry, start, start, self.source.position(start)[0], column, spot))
            entry.value = self.value(item, place.every or _inherited(place), entry, spot, column)
        if not value.flow and value.items:
            spot.column = self._column(self._dash(value.items[0].span.start))
        spot.end = self._end(value, spot)
        return group

    def key(self, key: Scalar, place: Place) -> Text:
        """A key as it is written."""
        if place.key_quotes == "always" and not _ID.fullmatch(key.text):
            return self._in_quotes(key)
        if place.key_quotes == "always":
            return self._text(key)
        return self.scalar(key, Place(quotes=place.key_quotes), 0)

    def scalar(self, value: Scalar, place: Place, base: int) -> Text:
        """A text as it is written."""
        if value.empty:
            return Text("", "", "")
        span = trimmed(self.source, value)
        shown = self.source.text[span.start : span.end]
        if value.quoted and shown[0] in "|>":
            return self._block_text(value, shown, base)
        if "\n" in shown:
            return self._over_lines(value, shown)
        match place.quotes:
            case "always":
                return self._in_quotes(value)
            case "color" if _COLOR.fullmatch(value.text):
                words = quoted(value.text.lower())
                return Text(value.text.lower(), words, words)
            case "color":
                return self._in_quotes(value)
            case "number" if _number(value.text):
                return Text(value.text, value.text, value.text)
            case "free" if not value.quoted and as_number(value.text):
                return Text(value.text, value.text, value.text)
            case "free" if not value.quoted and value.text in ("true", "false"):
                return Text(value.text, value.text, value.text)
            case "keep":
                inside = shown if value.quoted or survives_in_brackets(value.text) else quoted(value.text)
                return Text(value.text, shown, inside)
            case _:
                return self._text(value)

    def _text(self, value: Scalar) -> Text:
        said = value.text
        shown = self.source.text[value.span.start : value.span.end]
        # Escapes that the author wrote stay as they are.
        words = shown if shown.startswith('"') and "\n" not in shown else quoted(said)
        # Quotes around what nobody can see, or takes for a mark, are kept; they are not forced upon plain text.
        keep = value.quoted and odd(said)
        block = said if survives_plain(said, flow=False) and not keep else words
        flow = said if survives_plain(said, flow=True) and not keep else words
        return Text(said, block, flow)

    def _in_quotes(self, value: Scalar) -> Text:
        shown = self.source.text[value.span.start : value.span.end]
        words = shown if shown.startswith('"') and "\n" not in shown else quoted(value.text)
        return Text(value.text, words, words)

    def _block_text(self, value: Scalar, shown: str, base: int) -> Text:
        """Text after `|` or `>`: its lines stay as they are, only the indentation goes with that of the key."""
        header, _, body = shown.partition("\n")
        lines = body.split("\n") if body else []
        if lines and not lines[-1] and body.endswith("\n"):
            lines.pop()
        digits = re.search(r"[1-9]", header.partition("#")[0])
        depth = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")), default=0)
        hang = 2
        if digits:
            hang = int(digits[0])
            depth = min(depth, base + hang)
        else:
            depth = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")), 0)
        return Text(value.text, header.rstrip(), "", tuple(line[depth:] for line in lines), hang)

    def _over_lines(self, value: Scalar, shown: str) -> Text:
        first, *rest = shown.split("\n")
        if not value.quoted and not survives_plain(value.text, flow=False) and "\n" not in value.text:
            words = quoted(value.text)
            return Text(value.text, words, words)
        rest = [line.lstrip(" \t") for line in rest]
        if not value.quoted:
            first, rest = first.rstrip(), [line.rstrip() for line in rest]
        return Text(value.text, first, "", tuple(rest))

    def _spot(self, group: Group, value: Mapping | Sequence, owner: Entry | None, parent: Spot | None) -> Spot:
        depth = parent.depth + 1 if parent is not None else 0
        start = value.span.start if parent is not None else 0
        spot = Spot(group, start, value.span.end, value.flow, self._column(value.span.start), depth, owner, parent)
        self.spots.append(spot)
        return spot

    def _end(self, value: Mapping | Sequence, spot: Spot) -> int:
        """A block ends with its last scalar; the reader says where the next token begins."""
        if value.flow or not spot.group.entries:
            return value.span.end
        inner: Value = value
        while isinstance(inner, Mapping | Sequence) and not inner.flow:
            last = inner.entries[-1][1] if isinstance(inner, Mapping) and inner.entries else None
            if isinstance(inner, Sequence) and inner.items:
                last = inner.items[-1]
            if last is None:
                break
            if isinstance(last, Scalar):
                end = trimmed(self.source, last).end
                key = inner.entries[-1][0].span.end if isinstance(inner, Mapping) else 0
                return max(end, key)
            inner = last
        return inner.span.end

    def _column(self, offset: int) -> int:
        return offset - self.source.text.rfind("\n", 0, offset) - 1

    def _dash(self, offset: int) -> int:
        """The dash before an item of a block list."""
        found = self.source.text.rfind("-", 0, offset)
        return found if found >= 0 else offset


def _inherited(place: Place) -> Place:
    """The place of values that have none of their own: scalars as in the place, groups without an order."""
    if place.name == "tree":
        return _BRANCH
    return place if place.keep else Place(quotes=place.quotes)


_BRANCH = Place("tree", quotes="number", outline=True)


def _number(said: str) -> bool:
    return bool(_NUMBER.fullmatch(said)) and not re.fullmatch(r"[-+]?0[0-9].*", said)


def survives_in_brackets(said: str) -> bool:
    """Whether plain text means the same inside of brackets, whatever another reader takes it for."""
    return not any(char in ",[]{}" for char in said) and ":" not in said
