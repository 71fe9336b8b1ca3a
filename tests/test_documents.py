"""YAML text to values with places: against PyYAML itself, and against hostile text."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.documents import (
    TEXT_RULES,
    Mapping,
    Scalar,
    Sequence,
    Source,
    Span,
    as_number,
    as_word,
    compose,
    locate,
    plain,
    quote,
    read_source,
)
from hieratk.errors import TaxonomyError

TEXT = """\
# a comment
name: Maize  # another
codes: ["01", 1.10, 'it''s']
deep: {a: {b: [1, {c: x}]}, "quoted key": ""}
block: |
  two
  lines
empty:
"""


def composed(text: str, name: str = "x.yaml") -> Mapping:
    value, problems = compose(Source(name, text))
    assert problems == []
    assert isinstance(value, Mapping)
    return value


def scalars(value: object) -> list[Scalar]:
    if isinstance(value, Scalar):
        return [value]
    if isinstance(value, Sequence):
        return [scalar for item in value.items for scalar in scalars(item)]
    assert isinstance(value, Mapping)
    return [scalar for key, item in value.entries for scalar in (key, *scalars(item))]


def test_every_scalar_is_raw_text() -> None:
    assert plain(composed(TEXT)) == {
        "name": "Maize",
        "codes": ["01", "1.10", "it's"],
        "deep": {"a": {"b": ["1", {"c": "x"}]}, "quoted key": ""},
        "block": "two\nlines\n",
        "empty": None,
    }


def test_spans_hold_what_was_written() -> None:
    for scalar in scalars(composed(TEXT)):
        written = TEXT[scalar.span.start : scalar.span.end]
        if not scalar.quoted:
            assert written == scalar.text
        elif written[0] in "\"'":
            assert yaml.safe_load(written) == scalar.text
        else:
            assert written.startswith("|")


def test_spans_of_lists_and_mappings() -> None:
    value = composed(TEXT)
    deep = value.get("deep")
    assert isinstance(deep, Mapping)
    assert deep.flow
    assert TEXT[slice(*deep.span)] == '{a: {b: [1, {c: x}]}, "quoted key": ""}'
    codes = value.get("codes")
    assert codes is not None
    assert TEXT[slice(*codes.span)] == "[\"01\", 1.10, 'it''s']"
    # A block mapping ends with its last value, not where the parser noticed.
    inner = composed("a:\n  b: 1\n\n\n# comment\nc: 2\n").get("a")
    assert inner is not None
    assert inner.span == Span(5, 9)


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        (("name",), False, "Maize"),
        (("name",), True, "name"),
        (("codes", 1), False, "1.10"),
        (("deep", "a", "b", 1, "c"), False, "x"),
        (("deep", "a", "missing"), False, "a"),
        (("deep", "a", "missing"), True, "a"),
        (("missing",), False, "name"),
        (("codes", 7), False, "codes"),
        (("empty",), False, "empty"),
        (("deep", "function-wrap[x]", "a", "b", 0), False, "1"),
        ((), False, TEXT[TEXT.index("name") :].rstrip()),
        ((), True, "name"),
    ],
)
def test_locate(path: tuple[str | int, ...], key: bool, expected: str) -> None:
    span = locate(composed(TEXT), path, key=key)
    assert TEXT[span.start : span.end] == expected


def test_source_positions() -> None:
    source = Source("x", "a\r\nb🌲c\rd\n")
    assert [source.position(offset) for offset in (0, 3, 4, 5, 7, 9)] == [
        (1, 1),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 1),
        (4, 1),
    ]
    assert [source.line(row) for row in range(6)] == ["", "a", "b🌲c", "d", "", ""]
    marked = Source("x", "\ufeffkey: 1\n")
    assert marked.position(1) == (1, 1)
    assert marked.line(1) == "key: 1"


def test_bom_does_not_shift_places() -> None:
    value, problems = compose(Source("x", '\ufeffa: "1"\nb: 2\n'))
    assert [problem.code for problem in problems] == ["Y003"]
    assert value is not None
    assert value.span.start == 1
    assert Source("x", '\ufeffa: "1"\nb: 2\n').text[slice(*locate(value, ("a",)))] == '"1"'


def test_run_files_may_hold_numbers_and_booleans() -> None:
    text = "epochs: 10\nlr: 1e-3\nshuffle: true\nstart: 2021-06-01\nwhere: ~\ncolor: '#ff0000'\n"
    assert plain(composed(text))["lr"] == "1e-3"


def test_first_of_equal_keys_is_kept() -> None:
    value, problems = compose(Source("x", "a: 1\nb: 2\na: 3\n"))
    assert [problem.code for problem in problems] == ["Y007"]
    assert value is not None
    assert plain(value) == {"a": "1", "b": "2"}


def test_glued_entry_is_taken_apart() -> None:
    value, problems = compose(Source("x", '{a:1, b:"2", c: 3}'))
    assert [problem.code for problem in problems] == ["Y010", "Y010"]
    assert value is not None
    assert plain(value) == {"a": "1", "b": "2", "c": "3"}
    assert [value.get(key).quoted for key in "abc"] == [False, True, False]  # type: ignore[union-attr]


def test_lost_keys_are_named() -> None:
    value, problems = compose(Source("x", "color: #ff0000\nname: x\n"))
    assert [problem.code for problem in problems] == ["Y013"]
    assert isinstance(value, Mapping)
    assert value.lost == ("color",)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("[" * 100_000, ["Y018"]),
        ("{a: " * 100_000, ["Y018"]),
        ("- " * 100_000, ["Y018"]),
        ("[" * 100_000 + "]" * 100_000, ["Y018"]),
        (" " * (8 * 2**20), ["Y019"]),
        ("\n" * (8 * 2**20), ["Y019"]),
        (" " * (8 * 2**20) + "a", ["Y018"]),
        ("", ["Y019"]),
        ("# only a comment\n", ["Y019"]),
        ("---\n", ["Y019"]),
        ("\ufeff", ["Y019"]),
        ("a: \0\n", ["Y002"]),
        ("a: \x1b[31mred\n", ["Y002"]),
        ("a: \ud800\n", ["Y002"]),
        ("a: &a [*a]\n", ["Y008", "Y008"]),
        ("a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", ["Y008", "Y008", "Y008"]),
        ("a: 1\r\nb: 2\r\n", ["Y017"]),
        ("a: 1\x85b: 2\n", ["Y017"]),
        ("a: '🌲🌲' b\n", ["Y001"]),
        ("? [a, b]\n: c\n", ["Y008"]),
        ("a: !!python/object/apply:os.system [ls]\n", ["Y008"]),
        ("key" * 100_000, []),
        ("a: " + "x" * 1_000_000 + "\n", []),
        ("a: '" + "x" * 1_000_000, ["Y001"]),
        ("a: {" + "b: 1, " * 100_000, ["Y001"]),
        ("%" * 100_000, ["Y006"]),
        ("a: {b: 1,\n    c: 2, d: 3\n", ["Y001"]),
        ("a: {b: 'x',\n    c: 'y', d: 3\ne: 4\n", ["Y001"]),
    ],
    ids=lambda part: repr(part[:16]) if isinstance(part, str) else "-".join(part),
)
def test_hostile_text_gets_a_message_each(text: str, codes: list[str]) -> None:
    begin = time.process_time()
    _, problems = compose(Source("x", text))
    assert [problem.code for problem in problems] == codes
    assert time.process_time() - begin < 10


def test_too_many_values() -> None:
    begin = time.process_time()
    value, problems = compose(Source("x", "[" + "a," * 600_000 + "]"))
    assert value is None
    assert [problem.code for problem in problems] == ["Y018"]
    assert time.process_time() - begin < 10


_FRAGMENTS = st.sampled_from(
    [
        *["a: ", "b: 1\n", "\n", "  ", "    ", "- ", "[", "]", "{", "}", ", ", '"', "'", "#"],
        *[" #ff0000", ":", "&x ", "*x", "!t ", "<<: ", "? ", "|\n", ">\n", "\t", "：", "，", "“", "\u00a0"],
        *["\r\n", "---\n", "...\n", "%YAML 1.1\n", "\ufeff", "é", "0x1F", "e\u0301", "🌲", "~", "no", "\x00"],
        *["\x85", "\u2028"],
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_FRAGMENTS, max_size=25).map("".join))
def test_any_text_is_read_or_explained(text: str) -> None:
    """Never an exception; where PyYAML reads plain mappings, so do we, and equally."""
    value, problems = compose(Source("x", text))
    assert value is not None or any(problem.severity == "error" for problem in problems)
    for problem in problems:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
        assert TEXT_RULES[problem.code].name == problem.name
    if value is None or problems:
        return
    node = yaml.compose(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    assert plain(value) == _by_pyyaml(node)


def _by_pyyaml(node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return None if node.value == "" and not node.style else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_by_pyyaml(item) for item in node.value]
    return {key.value: _by_pyyaml(item) for key, item in node.value}


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_quote_is_undone_by_yaml(text: str) -> None:
    if any(ord(char) > 0xFFFF or (not char.isprintable() and ord(char) > 0xFF) for char in text):
        text = "".join(char for char in text if char.isprintable() and ord(char) <= 0xFFFF)
    assert yaml.safe_load(quote(text)) == text


@pytest.mark.parametrize(
    "text", ["0101", "0801", "1.10", "1e3", "12:30", "0x1F", "0b11", "1_000", "-.inf", "+5", "007", "11"]
)
def test_numbers_to_some_yaml_reader(text: str) -> None:
    assert as_number(text)


@pytest.mark.parametrize("text", ["0101", "1_000", "12:30", "0b11"])
def test_seen_numbers_are_what_pyyaml_sees(text: str) -> None:
    assert as_number(text).rsplit(" ", 1)[1] == str(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text", ["1.0.0", "W+M", "MC5", "LCH-5_1", "-", ".", "+", "1..5", "0x", "B20", "_", "1-2", "..", "e1"]
)
def test_no_number_to_any_yaml_reader(text: str) -> None:
    assert not as_number(text)
    assert isinstance(yaml.safe_load(f"[{text}]")[0], str | list)


@pytest.mark.parametrize("text", ["no", "On", "TRUE", "y", "null", "~", "2021-06-01", "2021-6-1"])
def test_words_to_some_yaml_reader(text: str) -> None:
    assert as_word(text)


@pytest.mark.parametrize("text", ["nO", "yess", "none", "Null1", "2021", "2021-06", "truth"])
def test_no_words_to_yaml_readers(text: str) -> None:
    assert not as_word(text)
    assert isinstance(yaml.safe_load(text), str | int)


def test_files(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"there is no file `nowhere\.yaml`"):
        read_source("nowhere.yaml")
    with pytest.raises(TaxonomyError, match="is a folder"):
        read_source(tmp_path)
    with pytest.raises(TaxonomyError, match="cannot be read"):
        read_source("a\0b")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"a" * (8 * 2**20 + 1))
    assert [problem.code for problem in read_source(large)[1]] == ["Y018"]
    large.write_bytes(b"a" * (8 * 2**20))
    assert read_source(large)[1] == []
