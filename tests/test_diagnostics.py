"""Problems: rendering, machine formats, nearness."""

from __future__ import annotations

import json
import random
import re
import unicodedata

import pytest

from hieratk.diagnostics import Edit, Findings, Fix, Problem, RuleHead, Source, Span, nearest, render, summary

TEXT = 'tree:\n  玉米: {rice: 1, 大豆: 1}\n  e: "🌲" x\n'


def problem(text: str, marked: str, *, related: str = "", **rest: object) -> Problem:
    def span(part: str) -> Span:
        start = text.index(part)
        return Span(start, start + len(part))

    values: dict[str, object] = {"label": "", "notes": (), "help": "", **rest}
    return Problem(
        code="T201",
        severity="error",
        source=Source("dir/x.yaml", text),
        span=span(marked),
        message="`a` is wrong",
        related=((span(related), "here too"),) if related else (),
        **values,  # type: ignore[arg-type]
    )


def test_underline_stands_under_wide_text() -> None:
    lines = render([problem(TEXT, "大豆", label="wide")]).splitlines()
    assert lines[3] == "2 |   玉米: {rice: 1, 大豆: 1}"
    assert lines[4] == "  |                   ^^^^ wide"
    # Columns count characters, the underline counts cells.
    assert lines[1] == " --> dir/x.yaml:2:17"
    before = lines[3][4:].index("大豆")
    cells = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in lines[3][4:][:before])
    assert lines[4].index("^") - 4 == cells


def test_related_places_and_gaps() -> None:
    text = "a: 1\nb: 2\nc: 3\nd: 4\n"
    shown = render([problem(text, "d", related="a", help="look", notes=("because",))])
    assert shown == (
        "error[T201]: `a` is wrong\n --> dir/x.yaml:4:1\n  |\n1 | a: 1\n  | - here too\n...\n4 | d: 4\n  | ^\n  |\n"
        "  = note: because\n  = help: look\n\n"
    )
    assert "..." not in render([problem(text, "d", related="c")])


def test_gutter_is_as_wide_as_the_largest_number() -> None:
    text = "x: 1\n" * 11 + "d: 4\n"
    assert render([problem(text, "d", related="x")]).splitlines()[1:4] == ["  --> dir/x.yaml:12:1", "   |", " 1 | x: 1"]


def test_terminal_controls_are_written_out() -> None:
    shown = render([problem("a: \u202e\u200b\x07 b\n", "b")])
    assert "<U+202E><U+200B>␇ b" in shown
    assert not {char for char in shown if not char.isprintable()} - {"\n"}


def test_long_lines_are_cut_around_the_mark() -> None:
    text = "x" * 5000 + "HERE" + "y" * 5000 + "\n"
    lines = render([problem(text, "HERE")]).splitlines()
    assert max(map(len, lines)) < 200
    at = lines[4].index("^")
    assert lines[3][at : at + 4] == "HERE"
    assert lines[4].count("^") == 4


def test_color_paints_the_same_text() -> None:
    found = [problem(TEXT, "大豆", label="wide", related="rice", help="h")]
    colored = render(found, color=True)
    assert "\x1b[1;31m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render(found)


def test_concise_is_one_line() -> None:
    assert render([problem(TEXT, "大豆")], format="concise") == "dir/x.yaml:2:17: T201 `a` is wrong\n"


def test_unknown_format() -> None:
    with pytest.raises(ValueError, match="no format `xml`"):
        render([], format="xml")


def fixed() -> Problem:
    edit = Fix("safe", (Edit(Span(6, 8), "x"),))
    return problem(TEXT, "大豆", help="quote it", fix=edit, related="rice", label="l", name="pixel-claimed-twice")


def test_json_holds_everything() -> None:
    document = json.loads(render([fixed()], format="json"))
    assert document["version"] == 1
    assert document["summary"] == {"error": 1}
    (found,) = document["diagnostics"]
    start, end = found["offset"]
    assert TEXT[start:end] == "大豆"
    assert found["start"] == {"row": 2, "column": 17}
    assert found["end"] == {"row": 2, "column": 19}
    assert found["fix"] == {"applicability": "safe", "edits": [{"offset": [6, 8], "content": "x"}]}
    assert TEXT[slice(*found["related"][0]["offset"])] == "rice"
    assert json.loads(render([], format="json")) == {"version": 1, "diagnostics": [], "summary": {}}


def test_sarif() -> None:
    log = json.loads(render([fixed()], format="sarif"))
    (run,) = log["runs"]
    assert (log["version"], run["columnKind"]) == ("2.1.0", "unicodeCodePoints")
    assert run["tool"]["driver"]["rules"] == [{"id": "T201", "name": "pixel-claimed-twice"}]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "dir/x.yaml"}
    assert place["region"] == {"startLine": 2, "startColumn": 17, "endLine": 2, "endColumn": 19}
    assert result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"] == {"text": "x"}
    # The same finding some lines further down keeps its fingerprint.
    moved = problem("# new line\n" + TEXT, "大豆")
    again = json.loads(render([moved], format="sarif"))["runs"][0]["results"][0]
    assert again["partialFingerprints"] == result["partialFingerprints"]
    assert again["locations"] != result["locations"]


def test_github() -> None:
    lines = render([problem(TEXT, "大豆", help="100%, or so")], format="github").splitlines()
    assert lines == [
        "::error title=hieratk::1 error",
        "::error title=hieratk (T201),file=dir/x.yaml,line=2,endLine=2,col=17,endColumn=19"
        "::`a` is wrong (100%25, or so)",
    ]
    over_lines = problem(TEXT, "大豆: 1}\n  e")
    assert "col" not in render([over_lines], format="github").splitlines()[1]
    assert render([], format="github") == ""


def test_findings_list_fifty_and_count_the_rest() -> None:
    text = "abc\n" * 70
    findings = Findings(Source("x", text), {"T1": RuleHead("one", "warning"), "T2": RuleHead("two", "error")})
    for row in reversed(range(70)):
        findings.add("T1", Span(row * 4, row * 4 + 3), "m")
    findings.add("T2", Span(0, 1), "m")
    found = findings.problems()
    assert len(found) == 51
    assert [p.span for p in found] == sorted(p.span for p in found)
    assert sum(p.more for p in found) == 20
    assert findings.errors == 1
    assert summary(found, files=1) == "1 error, 70 warnings in 1 file"
    assert "… and 20 more T1" in render(found)
    assert "x: … and 20 more T1" in render(found, format="concise")
    assert json.loads(render(found, format="json"))["summary"] == {"warning": 70, "error": 1}


def test_endless_values_are_cut_in_messages() -> None:
    findings = Findings(Source("x", "a"), {"T1": RuleHead("one", "error")})
    findings.add("T1", Span(0, 1), f"`{'x' * 10_000}` is wrong", help="y" * 10_000)
    (found,) = findings.problems()
    assert found.message.startswith("`xxx")
    assert found.message.endswith("xxx` is wrong")
    assert len(found.message) < 310
    assert len(found.help) < 310


def test_suggestions_have_a_budget() -> None:
    findings = Findings(Source("x", ""), {})
    words = [f"name{number}" for number in range(100_000)]
    assert findings.suggest("nmae5", words)[0] == "name5"
    for _ in range(3):
        findings.suggest("nmae5", words)
    assert findings.suggest("nmae5", words) == []


def slow_distance(a: str, b: str) -> int:
    """Optimal string alignment by its definition."""
    best = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            ways = [best[i - 1, j] + 1, best[i, j - 1] + 1, best[i - 1, j - 1] + (a[i - 1] != b[j - 1])]
            if i > 1 and j > 1 and a[i - 2 : i] == b[j - 1] + b[j - 2]:
                ways.append(best[i - 2, j - 2] + 1)
            best[i, j] = min(ways)
    return best[len(a), len(b)]


def test_nearest_against_slow_truth() -> None:
    rng = random.Random(3)
    words = ["".join(rng.choices("abcd", k=rng.randint(1, 9))) for _ in range(120)]
    for word in words[:60]:
        most = max(len(word), 3) // 3
        reach = [(slow_distance(word, other), at) for at, other in enumerate(words)]
        expected = [words[at] for distance, at in sorted(reach) if distance <= most][:3]
        found = nearest(word, words)
        if expected:
            assert found == expected
        else:
            assert all(word in other for other in found)


def test_nearest() -> None:
    names = ["winter_wheat", "spring_wheat", "soybean", "rice", "Forest"]
    assert nearest("sobyean", names) == ["soybean"]
    assert nearest("wheat", names) == ["winter_wheat", "spring_wheat"]
    assert nearest("forest", names) == ["Forest"]
    assert nearest("rise", names) == ["rice"]
    assert nearest("quartz", names) == []
    assert nearest("xy", names) == []
    assert nearest("", ["", "a", "ab"]) == ["", "a"]
    assert nearest("x" * 100_000, ["y" * 100_000]) == []
