"""Where comments and blank rows stand, and which entry they belong to.

The YAML reader drops comments. They are what is left between the scalars, brackets and marks of a document: a `#`
outside of every scalar begins one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from hieratk.diagnostics import Source, Span
from hieratk.documents import Mapping, Scalar, Value
from hieratk.taxonomy.formatting.layout import Entry, Group

_BLANK_ROWS = re.compile(r"(?:\n *)+\Z")
_ALIGNED_ON_PURPOSE = 3


@dataclass(slots=True)
class Spot:
    """A group with the place where it was written; `owner` is the entry that holds it."""

    group: Group
    start: int
    end: int
    flow: bool
    column: int
    depth: int
    owner: Entry | None
    parent: Spot | None


@dataclass(slots=True)
class Post:
    """An entry with the place where it was written, in the order of the text."""

    entry: Entry
    start: int
    value_start: int
    row: int
    column: int
    spot: Spot


def trimmed(source: Source, value: Scalar) -> Span:
    """The place of a scalar without the blank rows behind a block text, unless they are part of it (`|+`)."""
    start, end = value.span
    if not value.quoted or source.text[start : start + 1] not in ("|", ">"):
        return value.span
    said = source.text[start:end]
    header = said.partition("\n")[0]
    if "+" in header.partition("#")[0]:
        return value.span
    return Span(start, start + len(_BLANK_ROWS.sub("", said)))


def scalars(value: Value) -> list[Scalar]:
    """All scalars of a document in the order of the text, keys among them."""
    found: list[Scalar] = []
    stack: list[Value] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Scalar):
            found.append(item)
        elif isinstance(item, Mapping):
            for key, inner in reversed(item.entries):
                stack += [inner, key]
        else:
            stack += reversed(item.items)
    return found


class Comments:
    """Gives every comment of a text to the entry or group that it belongs to."""

    def __init__(self, source: Source, value: Value, spots: list[Spot], posts: list[Post]) -> None:
        self.source = source
        self.spots = spots
        self.posts = posts
        self.starts = [post.start for post in posts]
        self.spot_starts = [spot.start for spot in spots]
        self.blank = False
        self.texts: list[str] = []
        self.inside = [trimmed(source, scalar) for scalar in scalars(value)]
        self.ends = [span.start for span in self.inside]

    def attach(self) -> None:
        """Walk the rows of the text; blank rows go with what comes after them."""
        at = 0
        for row in range(1, self.source.rows + 1):
            start = at
            line = self.source.line(row)
            at = start + len(line) + 1
            if self._in_scalar(start):
                # A row in the middle of a text; a comment may stand behind its end.
                self._beside(row, start, line)
                continue
            words = line.strip()
            if not words:
                self.blank = True
            elif words.startswith("#"):
                self._own_line(start + line.index("#"), line.index("#"), words)
            else:
                if self.blank:
                    self._blank_above(start)
                self.blank = False
                self._beside(row, start, line)

    def every(self) -> list[str]:
        """All comments of the text, whoever they belong to."""
        found = []
        at = 0
        for row in range(1, self.source.rows + 1):
            line = self.source.line(row)
            start = self._comment(at, at + len(line))
            if start >= 0:
                found.append(line[start - at :].rstrip())
            at += len(line) + 1
        return found

    def _comment(self, start: int, end: int) -> int:
        """Where a comment begins in a row, or -1: the first `#` outside of every scalar."""
        while (start := self.source.text.find("#", start, end)) >= 0:
            found = bisect_right(self.ends, start) - 1
            if found < 0 or start >= self.inside[found].end:
                return start
            start = self.inside[found].end
        return -1

    def _in_scalar(self, offset: int) -> bool:
        found = bisect_right(self.ends, offset) - 1
        return found >= 0 and self.inside[found].start < offset < self.inside[found].end

    def _beside(self, row: int, start: int, line: str) -> None:
        """The comment at the end of a row, if there is one."""
        offset = self._comment(start, start + len(line))
        if offset < 0:
            return
        words = line[offset - start :].rstrip()
        self.texts.append(words)
        before = line[: offset - start]
        gap = len(before) - len(before.rstrip())
        self._to_entry(row, offset, words, len(before) if gap >= _ALIGNED_ON_PURPOSE else 0)

    def _spot(self, offset: int) -> Spot:
        """The innermost group that reaches over a place."""
        found = bisect_right(self.spot_starts, offset) - 1
        spot: Spot | None = self.spots[found] if found >= 0 else None
        while spot is not None and offset >= spot.end:
            spot = spot.parent
        return spot or self.spots[0]

    def _to_entry(self, row: int, offset: int, words: str, column: int) -> None:
        spot = self._spot(offset)
        position = bisect_right(self.starts, offset)
        on_row = [post for post in self._before(position, row) if post.spot.depth >= spot.depth]
        if on_row:
            post = on_row[0]
            if isinstance(post.entry.value, Group) and offset < post.value_start:
                post.entry.value.block = post.entry.head = True
        elif spot.flow and position and self.posts[position - 1].entry is spot.owner:
            # Behind the opening bracket.
            post = self.posts[position - 1]
            spot.group.block = post.entry.head = True
        else:
            while position and self.posts[position - 1].spot is not spot:
                position -= 1
            if not position:
                self._own_line(offset, 0, words, counted=True)
                return
            post = self.posts[position - 1]
        entry = post.entry
        entry.beside_at = column if not entry.beside else 0
        entry.beside = f"{entry.beside} {words}".strip()

    def _before(self, position: int, row: int) -> list[Post]:
        found = []
        while position and self.posts[position - 1].row == row:
            position -= 1
            found.append(self.posts[position])
        return found[::-1]

    def _own_line(self, offset: int, column: int, words: str, *, counted: bool = False) -> None:
        if not counted:
            self.texts.append(words)
        lines = self._lines_at(offset, column)
        if self.blank:
            lines.append("")
        self.blank = False
        lines.append(words)

    def _lines_at(self, offset: int, column: int) -> list[str]:
        """Where a comment on a row of its own goes: above the next entry, or behind the last one of a deeper group."""
        position = bisect_right(self.starts, offset)
        spot = self._spot(offset)
        following = self.posts[position] if position < len(self.posts) else None
        if spot.flow:
            if following is not None and following.start < spot.end:
                return following.entry.above
            return spot.group.below if spot.group.entries or spot.owner is None else spot.owner.above
        if following is not None and column <= following.column:
            return following.entry.above
        deeper = self.posts[position - 1].spot if position else self.spots[0]
        kept = set()
        above: Spot | None = following.spot if following else None
        while above is not None:
            kept.add(id(above))
            above = above.parent
        inner: Spot | None = deeper
        while inner is not None and (inner.flow or inner.column > column):
            inner = inner.parent
        if inner is not None and id(inner) not in kept:
            return inner.group.below
        return following.entry.above if following else self.spots[0].group.below

    def _blank_above(self, offset: int) -> None:
        position = bisect_right(self.starts, offset - 1)
        if position < len(self.posts):
            self.posts[position].entry.above.append("")
