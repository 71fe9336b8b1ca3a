"""The layout of documents: a fixed point, the same content, comments at their places, findings where and only where."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hieratk.diagnostics import Problem, Source, render
from hieratk.documents import Mapping, Scalar, Sequence, Value, compose, plain, quote
from hieratk.taxonomy import catalog, spec
from hieratk.taxonomy.dump import dump
from hieratk.taxonomy.formatting import COLUMNS, columns, format_text
from hieratk.taxonomy.formatting.scalars import odd, survives_plain
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.rulebook import rules
from hieratk.taxonomy.rulebook.formats import RULES
from hieratk.taxonomy.rulebook.page import document
from hieratk.taxonomy.tree import Taxonomy
from tests.test_dump import trees

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
SHIPPED = sorted(catalog.shipped().glob("*.yaml"))
HEAD = "hieratk: taxonomy/1\n"


def formatted(text: str, name: str = "x.yaml") -> str:
    found = format_text(Source(name, text)).text
    assert found is not None, text
    return found


def findings(text: str) -> list[Problem]:
    return format_text(Source("x.yaml", text)).problems


def composed(text: str) -> Value:
    value, problems = compose(Source("x.yaml", text))
    assert value is not None, problems
    return value


class _Mess(Random):
    """Writes a document in any form that YAML has for it, with comments that name the key they stand at."""

    comments = True
    keep_meta = False

    def scalar(self, value: Scalar, *, flow: bool, indent: int) -> str:
        text = value.text
        if value.empty:
            return ""
        if re.fullmatch(r"[-+0-9.]+|true|false", text) and not value.quoted:
            return text
        ways = [quote(text)]
        if survives_plain(text, flow=flow) and not odd(text):
            ways += [text, text]
            if text.isprintable() and " " in text and "  " not in text and not flow:
                ways.append(text.replace(" ", "\n" + " " * (indent + self.randint(1, 5)), 1))
        if text.isprintable() and not odd(text):
            ways.append("'" + text.replace("'", "''") + "'")
            if not flow and text.strip() == text:
                pad = "\n" + " " * (indent + self.randint(1, 4))
                ways += ["|-" + pad + text, ">-" + pad + text]
        return self.choice(ways)

    def flow(self, value: Value, indent: int) -> str:
        if isinstance(value, Scalar):
            return self.scalar(value, flow=True, indent=indent)
        blank = self.choice(("", " ", "  "))
        if isinstance(value, Sequence):
            return f"[{blank}" + f",{blank}".join(self.flow(item, indent) for item in value.items) + f"{blank}]"
        return (
            f"{{{blank}"
            + f",{blank or ' '}".join(
                f"{self.key(key, flow=True)}: {self.flow(item, indent)}" for key, item in value.entries
            )
            + f"{blank}}}"
        )

    def key(self, key: Scalar, *, flow: bool) -> str:
        return key.text if survives_plain(key.text, flow=flow) and not odd(key.text) else quote(key.text)

    def empties(self, value: Value) -> bool:
        if isinstance(value, Scalar):
            return value.empty
        items = value.items if isinstance(value, Sequence) else tuple(item for _, item in value.entries)
        return any(self.empties(item) for item in items)

    def lines(self, value: Value, indent: int, path: tuple[str, ...] = ()) -> list[str]:
        """A block."""
        pad, found = " " * indent, []
        if isinstance(value, Sequence):
            for item in value.items:
                inner = self.inline(item, indent)
                if inner is not None:
                    found.append(f"{pad}- {inner}")
                else:
                    below = self.lines(item, indent + 2, (*path, "-"))
                    while (below and below[0].lstrip().startswith("#")) or not below[0].strip():
                        below.pop(0)
                    found += [f"{pad}- {below[0].lstrip()}", *below[1:]]
            return found
        assert isinstance(value, Mapping)
        entries = list(value.entries)
        for key, item in entries:
            if self.comments and self.random() < 0.15:
                found += [""] * self.randint(0, 3) + [f"{pad}# above {key.text!r}"]
            elif self.random() < 0.1 and not self.keep_meta:
                found += [""] * self.randint(1, 3)
            start = f"{pad}{self.key(key, flow=False)}:"
            inner = self.inline(item, indent)
            if inner is not None:
                beside = self.comments and self.random() < 0.15 and "\n" not in inner
                note = f"{' ' * self.randint(1, 9)}# beside {key.text!r}" if beside else ""
                found.append(f"{start}{' ' * self.randint(1, 3)}{inner}{note}".rstrip())
            else:
                found += [start, *self.lines(item, indent + self.randint(1, 5), (*path, key.text))]
        return found

    def inline(self, value: Value, indent: int) -> str | None:
        if isinstance(value, Scalar):
            return self.scalar(value, flow=False, indent=indent)
        empty = not (value.items if isinstance(value, Sequence) else value.entries)
        if empty or (self.random() < 0.4 and not self.empties(value)):
            return self.flow(value, indent)
        return None


def shuffled(value: Value, rnd: Random, table: Any = None) -> Value:
    """Known keys in any order, the first of the document but for."""
    if not isinstance(value, Mapping):
        return value
    entries = [(key, value) for key, value in value.entries]
    done = []
    for key, item in entries:
        if table is spec.DOCUMENT and key.text in ("classes", "special", "encodings", "attributes"):
            assert isinstance(item, Mapping)
            inner = tuple((name, shuffled(one, rnd, spec.TABLES[key.text])) for name, one in item.entries)
            item = Mapping(inner, item.span, item.flow)
        done.append((key, item))
    if table is spec.DOCUMENT:
        rest = done[1:]
        rnd.shuffle(rest)
        done = [done[0], *rest]
    elif table is not None:
        rnd.shuffle(done)
    return Mapping(tuple(done), value.span, value.flow)


@QUICK
@given(trees())
def test_what_dump_writes_is_left_alone(tree: Taxonomy) -> None:
    written = dump(tree)
    found = format_text(Source("tree.yaml", written))
    assert found.text == written
    assert found.problems == []


@QUICK
@given(trees(), st.integers(0, 2**32))
def test_any_form_of_a_document_becomes_the_one_form(tree: Taxonomy, seed: int) -> None:
    """Order of keys, quotes, blocks and blanks at random: the layout depends on none of them."""
    written = dump(tree)
    rnd = _Mess(seed)
    rnd.comments, rnd.keep_meta = False, True
    value = composed(written)
    assert isinstance(value, Mapping)
    # What the author chose is kept under `meta`, and as block text: both have no one form.
    messy = "\n".join(rnd.lines(shuffled(value, rnd, spec.DOCUMENT), 0)) + "\n"
    once = formatted(messy)
    assert formatted(once) == once
    assert plain(composed(once)) == plain(value)
    again, problems = read(Source("tree.yaml", once))
    assert again == tree, problems
    if "|-" not in messy and ">-" not in messy and "meta" not in messy and not re.search(r"\n +[^\n:]*\n", messy):
        assert once.replace("\n\n", "\n") == written.replace("\n\n", "\n")


@QUICK
@given(trees(), st.integers(0, 2**32))
def test_comments_stay_where_they_are_said(tree: Taxonomy, seed: int) -> None:
    rnd = _Mess(seed)
    value = composed(dump(tree))
    messy = "\n".join(rnd.lines(shuffled(value, rnd, spec.DOCUMENT), 0)) + "\n"
    messy_comments = sorted(re.findall(r"# (?:above|beside) .*", messy))
    once = formatted(messy)
    assert formatted(once) == once
    assert findings(once) == []
    assert plain(composed(once)) == plain(value)
    assert sorted(re.findall(r"# (?:above|beside) .*", once)) == messy_comments
    lines = once.split("\n")
    for number, line in enumerate(lines):
        if match := re.match(r" *# above (.*)$", line):
            following = next(other for other in lines[number + 1 :] if other.strip() and " # above " not in f" {other}")
            assert _key_of(following) == eval(match[1]), once
            assert re.match(" *", following)[0] == re.match(" *", line)[0]  # type: ignore[index]
        elif match := re.search(r" # beside (.*)$", line):
            assert _key_of(line) == eval(match[1]), once


def _key_of(line: str) -> str:
    text = re.sub(r"^ *(- )*", "", line).split(" # ")[0].strip()
    # What stands below is not on this line, and `a:b:` alone would be taken for a key and a value (Y010).
    value = composed(f"{text} below" if text.endswith(":") else text)
    assert isinstance(value, Mapping), line
    return value.entries[0][0].text


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_trees_are_laid_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = format_text(Source(path.name, text))
    assert found.text == text
    assert found.problems == []


@pytest.mark.parametrize("path", SHIPPED[::4], ids=lambda path: path.stem)
def test_a_shipped_tree_comes_back_from_a_mess(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    rnd = _Mess(len(text))
    messy = "\n".join(rnd.lines(shuffled(composed(text), rnd, spec.DOCUMENT), 0)) + "\n"
    once = formatted(messy, path.name)
    assert formatted(once, path.name) == once
    assert read(Source(path.name, once))[0] == catalog.load(path)
    assert findings(messy), "a mess has findings"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Order of keys: comments and blank lines go with their key.
        ("# about the tree\ntree: {a: 1}\n\n# the id\nid: x\n", "\n# the id\nid: x\n# about the tree\ntree: {a: 1}\n"),
        # Quotes.
        (
            "tree: {a: 1}\nclasses:\n  a: {code: 0101, name: 'No way', synonyms: [no, \"a, b\"], color: '#FF00AA'}\n",
            'tree: {a: 1}\nclasses:\n  a: {code: "0101", name: No way, synonyms: ["no", "a, b"], color: "#ff00aa"}\n',
        ),
        # A comma needs quotes inside of brackets only.
        (
            'tree: {a: 1}\nclasses:\n  a: {name: "b, c", definition: "d, e"}\n',
            "tree: {a: 1}\nclasses:\n  a:\n    name: b, c\n    definition: d, e\n",
        ),
        # Few leaves stand on the line of their parent, unless there is a comment among them.
        ("tree:\n  a:\n    b: 1\n    c: 2\n", "tree:\n  a: {b: 1, c: 2}\n"),
        ("tree:\n  a:\n    b: 1  # why\n    c: 2\n", None),
        ("tree:\n  a: # why\n    b: 1\n", "tree:\n  a:  # why\n    b: 1\n"),
        ("tree:\n  a: {b: 1, c: 2}  # why\n", None),
        ("tree: {a: 1, b: 2, c: 3, d: 4, e: 5}\n", "tree:\n  a: 1\n  b: 2\n  c: 3\n  d: 4\n  e: 5\n"),
        ("tree:\n  a: {b: , c: 2}\n", "tree:\n  a:\n    b:\n    c: 2\n"),
        # A comment inside of brackets makes a block of them.
        (
            "tree: {a: 1}\nclasses:\n  a: {name: A,  # why\n      note: b}  # and so\n",
            "tree: {a: 1}\nclasses:\n  a:\n    name: A  # why\n    note: b  # and so\n",
        ),
        ("tree: { # top\n  a: 1 }\n", "tree:  # top\n  a: 1\n"),
        ("tree: {a: 1\n  # last\n  }\n", "tree:\n  a: 1\n  # last\n"),
        # Comments behind the last entry of a block stay in it; those at the margin belong to what follows.
        (
            "tree:\n    a: 1\n    # b: 2\n\n# about classes\nclasses:\n    a: {name: A}\n    # end\n# really\n",
            "tree:\n  a: 1\n  # b: 2\n\n# about classes\nclasses:\n  a: {name: A}\n  # end\n# really\n",
        ),
        # Comments that were put into a column keep it where they can.
        ("tree:\n  a: 1        # one\n  bcd: 2      # two\n", None),
        ("tree:\n    a: 1    # one\n    bc:   2 # two\n", "tree:\n  a: 1      # one\n  bc: 2  # two\n"),
        # Alignment ends at a blank line and at a block.
        (
            "tree: {a: 1, bcd: 2, e: 3, fg: 4}\nclasses:\n  a: {name: A}\n  bcd: {name: B}\n\n  e: {name: E}\n"
            "  fg:\n    definition: x\n",
            "tree: {a: 1, bcd: 2, e: 3, fg: 4}\nclasses:\n  a:   {name: A}\n  bcd: {name: B}\n\n  e: {name: E}\n"
            "  fg:\n    definition: x\n",
        ),
        # Text over lines is not wrapped anew, only indented.
        (
            "description: >-\n     one\n       two\n\n     three\n\n\ntree: {a: 1}\n",
            "description: >-\n  one\n    two\n\n  three\n\ntree: {a: 1}\n",
        ),
        ("description: one\n      two\ntree: {a: 1}\n", "description: one\n  two\ntree: {a: 1}\n"),
        ("description: |2\n    one\n   two\ntree: {a: 1}\n", "description: |2\n    one\n   two\ntree: {a: 1}\n"),
        ("description: |+\n one\n\ntree: {a: 1}\n", "description: |+\n  one\n\ntree: {a: 1}\n"),
        # Escapes of the author are kept where quotes are needed, and so is plain text that looks odd.
        ('title: "a\\u00a0b"\ntree: {a: 1}\n', None),
        ("title: 玉米：大豆\ntree: {a: 1}\n", None),
        # What is under `meta` belongs to the author.
        ("tree: {a: 1}\nmeta:\n    b: 1.0\n    c: 'x'\n    d: [1, {e: f}]\n", "tree: {a: 1}\nmeta:\n  b: 1.0\n"
         "  c: 'x'\n  d: [1, {e: f}]\n"),
        # Blank lines and the end of the file.
        ("\n\ntree:\n\n  a: 1   \n\n\n\nmeta: {b: c}\n\n\n", "\ntree: {a: 1}\n\nmeta: {b: c}\n"),
        ("source:\n- title: x\n  date: 2024\ntree: {a: 1}\n", 'source:\n  - {title: x, date: "2024"}\ntree: {a: 1}\n'),
    ],
)  # fmt: skip
def test_layout(before: str, after: str | None) -> None:
    text = formatted(HEAD + before)
    assert text == HEAD + (before if after is None else after)
    assert formatted(text) == text
    assert (findings(HEAD + before) == []) == (text == HEAD + before)


def test_long_lines_become_blocks() -> None:
    names = ", ".join(f"a_long_synonym_{i}" for i in range(3))
    line = f"  a: {{name: {'x' * 60}, synonyms: [{names}]}}"
    assert len(line) > COLUMNS
    text = formatted(f"{HEAD}tree: {{a: 1}}\nclasses:\n{line}\n")
    assert text.endswith(f"  a:\n    name: {'x' * 60}\n    synonyms: [{names}]\n")
    short = line.replace("x" * 60, "x" * (60 - len(line) + COLUMNS))
    assert formatted(f"{HEAD}tree: {{a: 1}}\nclasses:\n{short}\n").endswith(f"\n{short}\n")
    wide = line.replace("x" * 60, "玉" * ((60 - len(line) + COLUMNS) // 2 + 1))
    assert columns(wide) > COLUMNS >= len(wide)
    assert "\n    synonyms" in formatted(f"{HEAD}tree: {{a: 1}}\nclasses:\n{wide}\n")


CROSSWALK = """\
hieratk: crosswalk/1
# where to
to: {taxonomy: crops, version: '>=0.3,<1'}
from:
  taxonomy: nccm
  version: ">=1,<2"
map:
  paddy_rice: {is: rice}
  10: {note: x, within: a}
  "110": {overlaps: {a: 0.75, b: 0.25}, confidence: 0.5}
  # the rest
  others: {outside: [rice, maize, soybean, wheat]}
unmapped: error
id: a_to_b
version: 1.0.0
"""


def test_crosswalks() -> None:
    text = formatted(CROSSWALK)
    assert (
        text
        == """\
hieratk: crosswalk/1
id: a_to_b
version: 1.0.0
from: {taxonomy: nccm, version: ">=1,<2"}
# where to
to: {taxonomy: crops, version: ">=0.3,<1"}
unmapped: error
map:
  paddy_rice: {is: rice}
  "10":       {within: a, note: x}
  "110":      {overlaps: {a: 0.75, b: 0.25}, confidence: 0.5}
  # the rest
  others:
    outside: [rice, maize, soybean, wheat]
"""
    )
    assert formatted(text) == text
    assert findings(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tree: {a: 1}\nid: x\n", [("F001", "tree")]),
        ("tree: {a: 1}\nclasses:\n  a: {color: \"#00aa00\", code: A}\n", [("F001", "color"), ("F002", "A")]),
        ("tree: {a: 1}\nclasses:\n  a: {name: 'b'}\n", [("F002", "'b'")]),
        ("tree: {a: 1}\nclasses:\n  a: {color: '#0A0B0C'}\n", [("F003", "'#0A0B0C'")]),
        ("tree:\n  a:\n    b: 1\n", [("F004", "a")]),
        ("tree:\n  a:\n    b: 1\n  c: 1\n", [("F004", "a")]),
        ("tree:\n  a:\n    b: {c: 1}\n    d: 2\n", []),
        ("levels:\n  - x\ntree: {a: 1}\n", [("F004", "levels")]),
        ("tree:\n    a: 1\n    b:\n", [("F005", "    "), ("F005", "    ")]),
        ("tree: {a: 1}  \n", [("F005", "  ")]),
        ("tree: {a: 1}\n\n\nmeta: {b: c}\n", [("F005", "")]),
        ("tree: {a: 1}\n\n", [("F005", "")]),
        ("tree: {a: 1}", [("F005", "")]),
        ("tree: {a: 1, bc: 2}\nclasses:\n  a: {name: A}\n  bc: {name: B}\n", [("F006", " ")]),
    ],
)  # fmt: skip
def test_findings_stand_at_their_places(text: str, found: list[tuple[str, str]]) -> None:
    problems = findings(HEAD + text)
    assert [(problem.code, problem.underlined) for problem in problems] == found
    assert all(problem.severity == "warning" for problem in problems)


def test_edits_of_findings_put_them_right() -> None:
    text = HEAD + "tree: {a: 1, bc: 2}\nclasses:\n  a: {name: 'A', color: \"#ABCDEF\"}\n  bc: {name: B}\n"
    for problem in findings(text):
        assert problem.fix is not None
        (edit,) = problem.fix.edits
        better = text[: edit.span.start] + edit.content + text[edit.span.end :]
        assert len(findings(better)) == len(findings(text)) - 1
    assert len(findings(text)) == 3


def test_line_breaks_and_byte_order_mark() -> None:
    text = "\ufeff" + (HEAD + "tree: {a: 1}\n").replace("\n", "\r\n")
    assert formatted(text) == HEAD + "tree: {a: 1}\n"
    assert [problem.code for problem in findings(text)] == ["F005"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HEAD + "tree: {a: 1, a: 2}\n", "Y007"),
        (HEAD + "tree: {a: 1\n", "Y001"),
        (HEAD + "tree: {a: 1}\ncolour: x\n", "S003"),
        (HEAD + "tree: 1\n", "S004"),
        ("tree: {a: 1}\n", "S001"),
        ("- a\n", "S001"),
        ("", "Y019"),
    ],
)
def test_errors_of_text_and_shape_leave_the_text_alone(text: str, code: str) -> None:
    found = format_text(Source("x.yaml", text))
    assert found.text is None
    assert [problem.code for problem in found.problems] == [code]


def test_other_errors_do_not_matter() -> None:
    assert formatted(HEAD + "tree: {a: 1, b: 1}\nclasses: {c: {name: 'C'}}\n").endswith("classes:\n  c: {name: C}\n")


BAD = Path(__file__).parent / "bad" / "format"
BAD_FILES = sorted(BAD.glob("*.yaml"))


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_file_that_is_laid_out_badly(path: Path) -> None:
    """The exact text of the findings; formatted, there are none."""
    text = path.read_text(encoding="utf-8")
    found = format_text(Source(path.name, text))
    assert path.stem in {problem.code for problem in found.problems}
    assert render(found.problems) == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert found.text is not None
    assert findings(found.text) == []


def test_every_rule_has_such_a_file_and_examples() -> None:
    assert [path.stem for path in BAD_FILES] == [rule.code for rule in RULES]
    assert [code for code, rule in rules().items() if rule.family == "F"] == [rule.code for rule in RULES]
    for rule in RULES:
        wrong, right = document(rule.wrong), document(rule.right)
        assert {problem.code for problem in findings(wrong)} == {rule.code}
        assert formatted(wrong) == right
        assert findings(right) == []
