"""Broken documents from good ones: what a hand, an editor, a bad merge or a damaged disk makes of a file.

The same seed gives the same documents. `Corpus` keeps what led somewhere new, so that faults pile up on each other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from hieratk.crosswalk import read as read_crosswalk
from hieratk.diagnostics import Problem, Source, render
from hieratk.documents import read_bytes
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.dump import dump
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.tables import compile_tables

ROOT = Path(__file__).parent.parent
FORMATS = ("full", "concise", "json", "sarif", "github")

_PIECES = (
    *("{", "}", "[", "]", ":", ": ", ",", "#", '"', "'", "\n", "\n  ", "\n\n", "\t", "-", "- ", "&a ", "*a", "!"),
    *("!!int ", "|", ">", ">-", "?", "%", "@", "`", "~", "no", "yes", "null", "..", "...", "---", "<<: ", "="),
    *("\uff1a", "\uff0c", "\u201c", "\u3000", "\u00a0", "\u200b", "\ufeff", "\x85", "\u2028", "\r", "\r\n", "\x00"),
    *("\x1b", "é", "e\u0301", "\U0001f332", "大豆", "\ud7ff", "0", "-1", "00", "0x1F", "1e3", "1_000", "12:30", "256"),
    *("65536", "4294967296", "9" * 40, "1..2", "3..1", "1.0"),
    *("kind: mixed", "kind: residual", "kind: unspecified", "parts: [a, b]", "parts: {a: 0.5, b: 0.6}", "also: [a]"),
    *("level: class", "pixel: 1", "code: 011", 'code: "1"', "color: #ff0000", 'color: "#ff0000"', "labels: {no: x}"),
    *("deprecated: {since: 1.0.0}", "deprecated: {use: [a]}", "regions: [x]", "attrs: {a: 1}", "synonyms: [x, x]"),
    *("role: nodata", "dtype: uint8", "dtype: int16", "values: {1: a}", "nodata: 0", "extends: {taxonomy: lclu}"),
    *('extends: {taxonomy: lclu, version: ">=1,<2"}', "extend: {water: {a: 1}}", "tree:", "classes:", "special:"),
    *("encodings:", "levels: [a, b]", "meta: {a: b}", "hieratk: taxonomy/1", "hieratk: crosswalk/1", "map:"),
    *("is: a", "within: a", "covers: [a, b]", "overlaps: {a: 0.5}", "outside: [a]", "none: nodata", "unmapped: error"),
    *("# hieratk: ignore[T301]", "# hieratk: ignore-file[T201]", "version: 1.10", "version: 1.0.0", "../../etc/passwd"),
)


def documents() -> list[str]:
    """Shipped trees and crosswalks and the examples of the tests, the short ones only; good ones count three times."""
    good = (ROOT / "taxonomies", ROOT / "taxonomies" / "crosswalks", ROOT / "tests" / "good")
    folders = (*good, *good, *good, ROOT / "tests" / "bad")
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml")) if file.stat().st_size < 6_000]
    return [file.read_bytes().decode("utf-8", "surrogateescape") for file in files]


@dataclass
class Corpus:
    """Documents to start from: `base` as they are, `found` those that drew findings never drawn together before."""

    base: Sequence[str]
    found: list[str] = field(default_factory=list)
    seen: set[frozenset[str]] = field(default_factory=set)

    def pick(self, rng: random.Random) -> str:
        """One of them: at times one that was found."""
        return rng.choice(self.found) if self.found and rng.random() < 0.3 else rng.choice(self.base)

    def learn(self, text: str, codes: frozenset[str]) -> None:
        """Keep a document that led somewhere new, unless it has grown too long."""
        if codes not in self.seen:
            self.seen.add(codes)
            if len(text) < 12_000:
                self.found.append(text)
                if len(self.found) > 2_000:
                    del self.found[:500]


def mutated(rng: random.Random, corpus: Corpus) -> bytes:
    """A document with one to five faults, as bytes."""
    text = corpus.pick(rng)
    for _ in range(rng.choice((1, 1, 1, 1, 1, 2, 2, 3, 5))):
        text = _splice(rng, text, corpus.pick(rng)) if rng.random() < 0.08 else rng.choice(_WAYS)(rng, text)
    data = text.encode("utf-8", "surrogateescape" if rng.random() < 0.9 else "replace")
    if rng.random() < 0.05 and data:
        raw = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        data = bytes(raw)
    return data


def _insert(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(_PIECES) + text[at:]


def _replace(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(_PIECES) + text[at + rng.randint(1, 8) :]


def _delete(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.choice((1, 1, 2, 3, 30)) :]


def _double(rng: random.Random, text: str) -> str:
    at, size = rng.randrange(len(text) + 1), rng.choice((1, 4, 40, 400))
    return text[: at + size] + text[at : at + size] * rng.choice((1, 1, 2, 20)) + text[at + size :]


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text) + 1)] if rng.random() < 0.3 else _delete(rng, text)


def _splice(rng: random.Random, text: str, other: str) -> str:
    lines, more = text.splitlines(keepends=True), other.splitlines(keepends=True)
    at, start = rng.randrange(len(lines) + 1), rng.randrange(len(more) + 1)
    return "".join([*lines[:at], *more[start : start + rng.randint(1, 12)], *lines[at:]])


def _swap(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def _indent(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = rng.randrange(len(lines))
    more = rng.choice(("  ", " ", "\t", "    ", ""))
    for line in range(at, min(at + rng.choice((1, 1, 3)), len(lines))):
        lines[line] = more + lines[line] if more else lines[line].lstrip(" ")
    return "".join(lines)


def _line(rng: random.Random, text: str) -> str:
    """A line once more or not at all."""
    lines = text.splitlines(keepends=True) or [""]
    at = rng.randrange(len(lines))
    lines[at : at + 1] = [] if rng.random() < 0.5 else [lines[at]] * 2
    return "".join(lines)


def _word(rng: random.Random, text: str) -> str:
    """A word of the text in place of another: ids, keys and values meet where they should not."""
    words = list(re.finditer(r"[^\s{},:]+", text))
    if not words:
        return text
    old, new = rng.choice(words), rng.choice(words)[0] if rng.random() < 0.8 else rng.choice(_PIECES)
    return text[: old.start()] + new + text[old.end() :]


def _number(rng: random.Random, text: str) -> str:
    """Another number in the place of one: values twice, out of range, backwards; the text stays whole."""
    places = list(re.finditer(r"\d+", text))
    if not places:
        return text
    place = rng.choice(places)
    return text[: place.start()] + str(rng.choice((0, 1, 2, 3, 7, 255, 256, 65536, 2**32))) + text[place.end() :]


_WAYS = (_insert, _replace, _delete, _double, _cut, _swap, _indent, _word, _word, _word, _number, _number, _line, _line)


def examine(data: bytes, *, formats: Sequence[str] = FORMATS) -> tuple[frozenset[str], bool]:
    """Read a document as the command does and hold it against what is always true; the codes found, and if it is valid.

    There is a value exactly where nothing is an error; places lie inside the text; every format says it; a valid tree
    compiles, and its own document reads back equal.
    """
    source, problems = read_bytes(BytesIO(data), name="x.yaml")
    if problems:
        _say(problems, formats)
        return frozenset(problem.code for problem in problems), False
    taxonomy, problems = read(source)
    _hold(taxonomy is None, problems)
    fine = taxonomy is not None
    _say(problems, formats)
    if "crosswalk/" in source.text[:400]:
        crosswalk, more = read_crosswalk(source)
        _hold(crosswalk is None, more)
        _say(more, formats)
        problems = [*problems, *more]
        fine = crosswalk is not None
    codes = frozenset(problem.code for problem in problems)
    if taxonomy is not None:
        assert taxonomy.fingerprint
        if taxonomy.predicted:
            tables = compile_tables(taxonomy)
            assert len(tables.row_ids) == 1 + len(taxonomy) + len(taxonomy.special)
        try:
            text = dump(taxonomy)
        except TaxonomyError:
            return codes, fine
        again, wrong = read(Source("x.yaml", text))
        assert again is not None, [problem.message for problem in wrong]
        assert again.fingerprint == taxonomy.fingerprint
    return codes, fine


def _hold(missing: bool, problems: Sequence[Problem]) -> None:
    assert missing == any(problem.severity == "error" for problem in problems)
    for problem in problems:
        assert 0 <= problem.span.start <= problem.span.end <= len(problem.source.text)
        assert problem.message


def _say(problems: Sequence[Problem], formats: Sequence[str]) -> None:
    for format_ in formats:
        render(problems, format=format_)
