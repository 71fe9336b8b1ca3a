"""Trees that stand in the names of a flat list: `Forest > Closed forest`, or legend numbers `3.2.1. Soy bean`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from hieratk.exchange.counting import number, some
from hieratk.exchange.records import Row

ARROW = " > "
_DEEPEST = 20
_NUMBER = re.compile(r"(?P<number>[0-9]{1,4}(?:\.[0-9]{1,4}){0,19})(?P<stop>\.|\))?\s+(?P<name>\S.*)", re.DOTALL)


def pieces(text: str) -> tuple[str, ...]:
    """The names on the way to a class: `A > B > C` divided, but neither in brackets nor before a number, where `>`
    means more than ("Continuous urban fabric (S.L. > 80 %)").
    """
    found = [""]
    depth = 0
    # No legend is as deep: what follows stays one name.
    parts = text.split(ARROW, _DEEPEST)
    for index, part in enumerate(parts):
        if index and (depth or part[:1].isdecimal()):
            found[-1] += ARROW + part
        elif index:
            found.append(part)
        else:
            found[-1] = part
        depth = max(0, depth + part.count("(") - part.count(")"))
    return tuple(name for name in (piece.strip() for piece in found) if name) or (text,)


def unfold(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Rows of a flat list as a tree where their names hold one, and what was decided; else the rows as they are."""
    classes = [row for row in rows if row.role is None]
    if any(len(pieces(row.name)) > 1 for row in classes):
        return _by_arrows(rows)
    numbered = [match for row in classes if (match := _NUMBER.fullmatch(row.name))]
    deep = any("." in match["number"] for match in numbered)
    # Nearly all: MapBiomas forgets a stop now and then, and a few names of any list may begin with a number.
    if deep and len(numbered) >= max(2, 0.8 * len(classes)):
        return _by_numbers(rows)
    return list(rows), []


def _by_arrows(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """One class a path; the classes above that have no entry of their own are made."""
    found: list[Row] = []
    at: dict[tuple[str, ...], int] = {}
    made: list[str] = []
    for row in rows:
        if row.role is not None:
            found.append(row)
            continue
        path = pieces(row.name)
        for depth in range(1, len(path)):
            above = path[:depth]
            if above not in at:
                at[above] = len(found)
                made.append(above[-1])
                found.append(Row(_key(above), row.place, above[-1], _key(above[:-1]) if depth > 1 else None))
        own = replace(row, key=_key(path), name=path[-1], parent=_key(path[:-1]) if len(path) > 1 else None)
        if path not in at:
            at[path] = len(found)
            found.append(own)
            continue
        before = found[at[path]]
        if before.values and before.color != own.color:
            # Two entries of one name that are drawn differently are two classes.
            found.append(replace(own, key=f"{own.key} ({own.place})"))
        else:
            found[at[path]] = replace(own, values=before.values + own.values, color=own.color or before.color)
    deep = sum(row.parent is not None for row in found)
    guesses = [f"`A > B` in names read as levels: {number(deep, 'class', 'classes')} below others"]
    if made:
        guesses.append(f"{number(len(made), 'class', 'classes')} above without an entry of their own {some(made)}")
    return found, guesses


def _key(path: tuple[str, ...]) -> str:
    return ARROW.join(path)


def _by_numbers(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Numbers become codes, and a class hangs below the longest number that its own begins with."""
    numbers: dict[str, str] = {}
    twice: list[str] = []
    found: list[Row] = []
    for row in rows:
        match = _NUMBER.fullmatch(row.name) if row.role is None else None
        if match is None:
            found.append(row)
            continue
        code: str | None = match["number"]
        if code in numbers:
            twice.append(f"{code} {match['name']}")
            parent, code = code.rpartition(".")[0] if code else "", None
        else:
            numbers[str(code)] = row.key
            parent = str(code).rpartition(".")[0]
        # For now the number of the parent; its key is known when all rows are.
        found.append(replace(row, name=match["name"].strip(), code=code, parent=parent or None))
    lifted: list[str] = []
    done: list[Row] = []
    for row in found:
        above = row.parent
        while above and above not in numbers:
            above = above.rpartition(".")[0]
        if row.parent and above != row.parent:
            lifted.append(f"{row.code or ''} {row.name}".strip())
        done.append(replace(row, parent=numbers[above] if above else None))
    below = sum(row.parent is not None for row in done)
    guesses = [f"legend numbers read as codes and levels: {number(below, 'class', 'classes')} below others"]
    if twice:
        guesses.append(f"{number(len(twice), 'legend number')} used twice, so no code for {some(twice)}")
    if lifted:
        guesses.append(f"no class has the number above: hung higher {some(lifted)}")
    return done, guesses
