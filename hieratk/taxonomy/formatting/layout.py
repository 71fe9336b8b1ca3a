"""How a document is laid out on lines. The one place that knows it: `dump` and `fmt` both print through it.

A document is a tree of groups (mappings, lists) and texts. A group stands on one line in `{ }` or `[ ]` where it fits
into `COLUMNS`, else as a block; what the notation wants as a block in any case is marked so by the writer of the group.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hieratk.documents import Scalar
from hieratk.documents import Value as Written
from hieratk.taxonomy.formatting.scalars import COLUMNS, columns, foldable, quoted, scalar


@dataclass(slots=True)
class Text:
    """A scalar: `said` is what it means, `block` and `flow` how it is written outside and inside of brackets.

    `tail` holds further lines (block text, quoted text over lines), which stand `hang` deeper than their key. With
    `fold` a text that would grow too long becomes block text.
    """

    said: str
    block: str
    flow: str
    tail: tuple[str, ...] = ()
    hang: int = 2
    fold: bool = False


@dataclass(slots=True)
class Entry:
    """A key with its value, or an item of a list (no key).

    `above` are the lines above it, comments and blank ones; `beside` is the comment at the end of its line, which
    stands at column `beside_at` if it can. `indent` and `gap` (blanks before the value) are known once it is printed.
    """

    value: Value
    key: Text | None = None
    above: list[str] = field(default_factory=list)
    beside: str = ""
    beside_at: int = 0
    head: bool = False
    written: tuple[Scalar | None, Written] | None = None
    indent: int = -1
    gap: int = 1


@dataclass(slots=True)
class Group:
    """A mapping or a list. `block` refuses one line; `aligned` puts the values of one-line neighbours into one column.

    `below` are comments behind the last entry. `flowed` is known once it is printed.
    """

    entries: list[Entry]
    mapping: bool = True
    block: bool = False
    aligned: bool = False
    below: list[str] = field(default_factory=list)
    flowed: bool = False


Value: TypeAlias = Text | Group


def text(said: str, *, fold: bool = False) -> Text:
    """Text in the shortest form that every reader sees alike."""
    return Text(said, scalar(said, flow=False), scalar(said, flow=True), fold=fold)


def raw(said: str) -> Text:
    """Text that stands as it is: a number, a truth value."""
    return Text(said, said, said)


def in_quotes(said: str) -> Text:
    """Text that stands in double quotes always."""
    return Text(said, quoted(said), quoted(said))


def print_document(root: Group) -> str:
    """The text of a document. Entries and groups learn where and how they were printed."""
    return "\n".join(_lines(root, 0)) + "\n"


def meaning(value: Value) -> Any:
    """What a value says, with the order of keys: pairs, lists and texts."""
    if isinstance(value, Text):
        return value.said
    if not value.mapping:
        return [meaning(entry.value) for entry in value.entries]
    return tuple((entry.key.said if entry.key else "", meaning(entry.value)) for entry in value.entries)


def flow(value: Value) -> str | None:
    """The value on one line, or None where it needs several."""
    if isinstance(value, Text):
        return None if value.tail or not value.flow else value.flow
    if (value.block and value.entries) or value.below:
        return None
    parts = []
    for entry in value.entries:
        shown = flow(entry.value)
        # A comment would end the line.
        if shown is None or entry.beside or any(entry.above):
            return None
        parts.append(shown if entry.key is None else f"{entry.key.flow}: {shown}")
    inside = ", ".join(parts)
    return f"{{{inside}}}" if value.mapping else f"[{inside}]"


def _lines(group: Group, indent: int) -> list[str]:
    lines: list[str] = []
    run: list[tuple[Entry, str, str]] = []
    for place, entry in enumerate(group.entries):
        above = entry.above if place else _without_first_blank(entry.above)
        line = _one_line(entry, indent) if group.aligned and isinstance(entry.value, Group) else None
        if line is None or "" in above:
            lines += _aligned(run)
            run = []
        if line is None:
            lines += _above(above, indent) + _entry(entry, indent)
        else:
            # Comments above stand between neighbours without parting them.
            entry.above = above
            run.append((entry, *line))
    lines += _aligned(run)
    return lines + _above(group.below, indent)


def _without_first_blank(lines: list[str]) -> list[str]:
    return lines[1:] if lines and not lines[0] else lines


def _above(lines: Iterable[str], indent: int) -> list[str]:
    return [" " * indent + line if line else "" for line in lines]


def _start(entry: Entry, indent: int) -> str:
    return " " * indent + (f"{entry.key.block}:" if entry.key is not None else "-")


def _one_line(entry: Entry, indent: int) -> tuple[str, str] | None:
    """Beginning and value of an entry that fits on a line."""
    start, shown = _start(entry, indent), flow(entry.value)
    if shown is None:
        return None
    empty = isinstance(entry.value, Group) and not entry.value.entries
    return (start, shown) if empty or columns(start) + 1 + columns(shown) <= COLUMNS else None


def _aligned(run: list[tuple[Entry, str, str]]) -> list[str]:
    lines: list[str] = []
    width = max((columns(start) for _, start, _ in run), default=0)
    for entry, start, shown in run:
        entry.indent = len(start) - len(start.lstrip(" "))
        # A line that would grow too long is moved to the right only as far as it may be.
        entry.gap = max(1, min(width, COLUMNS - 1 - columns(shown)) - columns(start) + 1)
        assert isinstance(entry.value, Group)
        entry.value.flowed = True
        lines += _above(entry.above, entry.indent)
        lines.append(_with_comment(start + " " * entry.gap + shown, entry, keep=True))
    return lines


def _entry(entry: Entry, indent: int) -> list[str]:
    entry.indent, entry.gap = indent, 1
    start = _start(entry, indent)
    value = entry.value
    if isinstance(value, Text):
        return _text(start, value, entry, indent)
    line = _one_line(entry, indent)
    if line is not None:
        value.flowed = True
        return [_with_comment(" ".join(line), entry, keep=True)]
    value.flowed = False
    if entry.key is not None:
        return [_with_comment(start, entry, keep=entry.head), *_lines(value, indent + 2)]
    # The first entry of what stands in a list begins on the line of its dash.
    inner = _lines(value, indent + 2)
    first = start + " " + inner[0].lstrip(" ")
    return [_with_comment(first, entry, keep=True), *inner[1:]]


def _text(start: str, value: Text, entry: Entry, indent: int) -> list[str]:
    line = f"{start} {value.block}" if value.block else start
    pad = " " * (indent + value.hang)
    if value.fold and columns(line) > COLUMNS and foldable(value.said):
        wide = COLUMNS - len(pad)
        folded = textwrap.wrap(value.said, wide, break_long_words=False, break_on_hyphens=False)
        return [f"{start} >-", *(pad + part for part in folded)]
    tail = [pad + part if part else "" for part in value.tail]
    if tail and entry.beside and value.block[0] not in "|>":
        # A comment inside of text over lines would end it; it stands behind the last one.
        return [line, *tail[:-1], _with_comment(tail[-1], entry, keep=False)]
    return [_with_comment(line, entry, keep=True), *tail]


def _with_comment(line: str, entry: Entry, *, keep: bool) -> str:
    if not entry.beside:
        return line
    blanks = max(2, entry.beside_at - len(line)) if keep else 2
    return f"{line}{' ' * blanks}{entry.beside}"
