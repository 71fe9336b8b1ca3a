"""Fixes carried out: applied as a whole or not at all, in rounds, with an end."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.diagnostics import Edit, Fix, Problem, Source, Span
from hieratk.diagnostics.edits import ROUNDS, apply, difference, mend
from hieratk.taxonomy.checking import check

BAD = Path(__file__).parent / "bad"


def fix(*edits: tuple[int, int, str], safe: bool = True) -> Fix:
    return Fix("safe" if safe else "unsafe", tuple(Edit(Span(a, b), text) for a, b, text in edits))


def test_edits_are_made_from_the_end() -> None:
    assert apply("abcdef", [fix((1, 2, "xyz")), fix((4, 5, "")), fix((6, 6, "!"))]) == ("axyzcdf!", 3)
    assert apply("abc", []) == ("abc", 0)


def test_a_fix_is_made_as_a_whole_or_not_at_all() -> None:
    first, second = fix((0, 1, "A"), (4, 5, "E")), fix((2, 3, "C"), (4, 6, ""))
    assert apply("abcdef", [second, first]) == ("AbcdEf", 1)
    assert apply("abcdef", [second]) == ("abCd", 1)


@pytest.mark.parametrize(
    ("one", "other", "made"),
    [
        ((0, 2, "x"), (2, 4, "y"), 2),
        ((0, 3, "x"), (2, 4, "y"), 1),
        ((1, 1, "x"), (1, 1, "y"), 1),
        ((1, 1, "x"), (1, 3, "y"), 1),
        ((0, 2, "x"), (2, 2, "y"), 1),
        ((0, 4, "x"), (1, 2, "y"), 1),
        ((0, 1, "x"), (2, 2, "y"), 2),
    ],
)
def test_what_overlaps_waits(one: tuple[int, int, str], other: tuple[int, int, str], made: int) -> None:
    assert apply("abcd", [fix(one), fix(other)])[1] == made


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_apply_is_what_plain_slicing_gives(seed: int) -> None:
    """The slow truth: fixes one after the other, a mark for every character that one has touched."""
    rnd = Random(seed)
    text = "abcdefghijklmnopqrst"
    fixes = []
    for _ in range(rnd.randint(0, 8)):
        ends = sorted(rnd.sample(range(len(text) + 1), 2 * rnd.randint(1, 2)))
        fixes.append(fix(*((ends[i], ends[i + 1], rnd.choice(("", "X", "YZ"))) for i in range(0, len(ends), 2))))
    taken: list[tuple[int, int, str]] = []
    made = 0
    for one in sorted(fixes, key=lambda entry: min(edit.span for edit in entry.edits)):
        spans = [(edit.span.start, edit.span.end, edit.content) for edit in one.edits]
        if any(set(range(a, b)) & set(range(c, d)) for a, b, _ in spans for c, d, _ in taken):
            continue
        taken += spans
        made += 1
    expected, at = [], 0
    for start, end, content in sorted(taken):
        expected += [text[at:start], content]
        at = end
    assert apply(text, fixes) == ("".join(expected) + text[at:], made)


def _letters(source: Source) -> list[Problem]:
    """A rule that wants capitals, and an unsafe one that wants no question marks."""
    found = []
    for at, char in enumerate(source.text):
        span = Span(at, at + 1)
        if char.islower():
            found.append(Problem("L1", "warning", source, span, "small", fix=fix((at, at + 1, char.upper()))))
        elif char == "?":
            found.append(Problem("L2", "error", source, span, "asks", fix=fix((at, at + 1, "!"), safe=False)))
    return found


def test_mend() -> None:
    done = mend(Source("x", "ab?c"), _letters)
    assert (done.after.text, done.fixed, [p.code for p in done.problems]) == ("AB?C", 3, ["L2"])
    assert done.problems[0].source.text == "AB?C"
    done = mend(Source("x", "ab?c"), _letters, unsafe=True)
    assert (done.after.text, done.fixed, done.problems, done.changed) == ("AB!C", 4, [], True)
    done = mend(Source("x", "A?"), _letters)
    assert (done.changed, done.fixed, len(done.problems)) == (False, 0, 1)


def test_fixes_that_undo_one_another_come_to_an_end() -> None:
    asked = []

    def flip(source: Source) -> list[Problem]:
        asked.append(source.text)
        other = {"a": "b", "b": "a"}[source.text]
        return [Problem("L3", "error", source, Span(0, 1), "wrong letter", fix=fix((0, 1, other)))]

    done = mend(Source("x", "a"), flip)
    assert done.fixed == ROUNDS
    assert len(asked) == ROUNDS + 1


def test_a_fix_makes_room_for_the_next() -> None:
    """Codes without quotes are seen once the colour that swallowed the line has its own."""
    text = "hieratk: taxonomy/1\ntree: {a: 1, b: 2}\nclasses:\n  a: {color: #ff0000, code: 0101}\n  b: {code: 0102}\n"
    done = mend(Source("x.yaml", text), lambda source: check(source).problems)
    assert done.after.text.endswith('  a: {color: "#ff0000", code: "0101"}\n  b: {code: "0102"}\n')
    assert done.fixed == 3
    assert not [problem for problem in done.problems if problem.severity != "info"]


def test_safe_fixes_of_all_broken_files_reach_an_end() -> None:
    """No safe fix is left, and nothing that was no error became one."""
    mended = 0
    for path in sorted(BAD.glob("*.yaml")):
        if path.stem.startswith("Y002"):
            continue
        source = Source(path.name, path.read_bytes().decode())
        done = mend(source, lambda text: check(text).problems)
        left = [p for p in done.problems if p.fix is not None and p.fix.applicability == "safe"]
        assert not left, (path.stem, left[0].message)
        before = {p.code for p in check(source).problems}
        if not any(code.startswith("Y") for code in before):
            assert {p.code for p in done.problems if p.severity == "error"} <= before, path.stem
        mended += done.changed
    assert mended > 12


def test_difference() -> None:
    source = Source("/trees/x.yaml", "a\nb\n")
    assert difference(source, "a\nc\n") == "--- a/trees/x.yaml\n+++ b/trees/x.yaml\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert difference(source, source.text) == ""
    assert difference(source, "a\nb").endswith("-b\n+b\n\\ No newline at end of file\n")
