"""The reader on broken and hostile documents: a message each, never an exception, never a hang.

The short form of benchmarks/fuzz.py, which runs 100,000 documents.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hieratk.diagnostics import Source, render
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.reader import read, read_file
from tests.mutations import FORMATS, Corpus, documents, examine, mutated

SEED = int(os.environ.get("HIERATK_FUZZ_SEED", "7"))
COUNT = 400
LIMIT = 5.0


def test_mutations_are_read_or_explained(record_property: Callable[[str, object], None]) -> None:
    rng = random.Random(SEED)
    corpus = Corpus(documents())
    print(f"seed {SEED}, {COUNT} documents; HIERATK_FUZZ_SEED chooses another")
    record_property("seed", SEED)
    codes: set[str] = set()
    valid = 0
    for number in range(COUNT):
        data = mutated(rng, corpus)
        begin = time.process_time()
        try:
            found, fine = examine(data, formats=FORMATS if number % 8 == 0 else FORMATS[:1])
        except Exception as error:
            raise AssertionError(f"seed {SEED}, document {number}: {error!r}\n{data!r}") from error
        assert time.process_time() - begin < LIMIT, data
        corpus.learn(data.decode("utf-8", "surrogateescape"), found)
        codes |= found
        valid += fine
    # It is worth its name only while it gets about.
    assert len(codes) > 40
    assert valid > 15


def test_the_same_seed_gives_the_same_documents() -> None:
    runs = []
    for _ in range(2):
        rng, corpus = random.Random(SEED), Corpus(documents())
        runs.append([mutated(rng, corpus) for _ in range(50)])
    assert runs[0] == runs[1]


def _laughs() -> str:
    """Each line ten times the one before: 10^9 words if anything followed the aliases."""
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 10)}]" for depth in range(1, 10)]
    return "\n".join(lines) + "\n"


def _tree(count: int) -> str:
    """So many classes on three levels, with codes and names."""
    lines = ["hieratk: taxonomy/1", "levels: [one, two, three]", "tree:"]
    classes = ["classes:"]
    for number in range(count):
        depth = 0 if number % 1000 == 0 else 1 if number % 1000 % 50 == 1 else 2
        lines.append(f"{'  ' * (depth + 1)}c{number}:")
        classes.append(f'  c{number}: {{code: "{number}", name: Class {number}}}')
    return "\n".join(lines + classes) + "\n"


def _misspelt(count: int) -> str:
    """So many classes, each with a line whose id is nearly that of all of them."""
    tree = "".join(f"  class_number_{number}: {number}\n" for number in range(count))
    classes = "".join(f"  klass_nunber_{number}: {{name: x}}\n" for number in range(count))
    return f"hieratk: taxonomy/1\nencodings: {{default: {{dtype: uint16}}}}\ntree:\n{tree}classes:\n{classes}"


HOSTILE: dict[str, tuple[Callable[[], str], set[str]]] = {
    "brackets": (lambda: "[" * 100_000, {"Y018"}),
    "closed brackets": (lambda: "a: " + "[" * 100_000 + "]" * 100_000, {"Y018"}),
    "blanks": (lambda: " " * (8 * 2**20 - 1), {"Y019"}),
    "lines of blanks": (lambda: ("  " * 50 + "\n") * 80_000, {"Y019"}),
    "blanks in a tree": (lambda: "hieratk: taxonomy/1\n" + " \n" * 2_000_000 + "tree: {a: 1}\n", set()),
    "byte-order mark": (lambda: "\ufeffhieratk: taxonomy/1\ntree: {a: 1}\n", {"Y003"}),
    "carriage returns": (lambda: "hieratk: taxonomy/1\r\ntree: {a: 1}\r\n", {"Y017"}),
    "next line": (lambda: "hieratk: taxonomy/1\x85tree: {a: 1}\n", {"Y017"}),
    "tab": (lambda: "hieratk: taxonomy/1\ntree:\n\ta: 1\n", {"Y004"}),
    "null": (lambda: "hieratk: taxonomy/1\ntree: {a\0: 1}\n", {"Y002"}),
    "recursive alias": (lambda: "hieratk: taxonomy/1\ntree: &t {a: *t}\n", {"Y008"}),
    "billion laughs": (_laughs, {"Y008"}),
    "full-width colon": (lambda: "hieratk: taxonomy/1\ntree: {a: 1}\nclasses:\n  a: {name： 玉米}\n", {"Y009"}),
    "empty": (lambda: "", {"Y019"}),
    "outside the search path": (
        lambda: 'hieratk: taxonomy/1\nextends: {taxonomy: ../../etc/passwd, version: ">=1"}\nextend: {a: {b: 1}}\n',
        {"T602"},
    ),
    "twenty thousand misspelt ids": (lambda: _misspelt(20_000), {"T601"}),
    "an endless word": (lambda: f"hieratk: taxonomy/1\ntree:\n  ? {'a' * 10**6}\n  : 1\n", {"T005"}),
    "many classes": (lambda: _tree(100_000), set()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents(name: str) -> None:
    """Each item of the list: the code that says it, within five seconds of work."""
    make, expected = HOSTILE[name]
    text = make()
    begin = time.process_time()
    taxonomy, problems = read(Source("x.yaml", text))
    render(problems)
    seconds = time.process_time() - begin
    codes = {problem.code for problem in problems if problem.severity != "info"}
    if name == "many classes":
        # Either it is read, or it is said to be too large.
        assert taxonomy is not None or codes == {"Y018"}, codes
    else:
        assert expected <= codes, codes
    assert seconds < LIMIT, f"{seconds:.1f} s"


def test_the_place_behind_an_emoji_is_a_column_of_characters() -> None:
    text = 'hieratk: taxonomy/1\ntree: {a: 1}\nclasses:\n  a: {name: "🌲🌲", colour: "#00ff00"}\n'
    _, problems = read(Source("x.yaml", text))
    (problem,) = [problem for problem in problems if problem.code == "S003"]
    assert problem.position == (4, 19)
    assert problem.underlined == "colour"


def test_files_that_are_no_documents(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match="is a folder"):
        read_file(tmp_path)
    for content in (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", os.urandom(1000) + b"\xff", b"\x1f\x8b\x08\0", b"\xff\xfea\0"):
        path = tmp_path / "x.yaml"
        path.write_bytes(content)
        taxonomy, problems = read_file(path)
        assert taxonomy is None
        assert [problem.code for problem in problems] == ["Y002"]


def test_a_circle_of_extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "taxonomies"
    folder.mkdir()
    for one, other in (("aa", "bb"), ("bb", "cc"), ("cc", "aa")):
        text = f'hieratk: taxonomy/1\nid: {one}\nversion: 1.0.0\nextends: {{taxonomy: {other}, version: ">=1"}}\n'
        (folder / f"{one}.yaml").write_text(text + f"extend: {{x: {{{one}_1: 1}}}}\n", encoding="utf-8")
    taxonomy, problems = read_file(folder / "aa.yaml")
    assert taxonomy is None
    assert "T604" in {problem.code for problem in problems}
