"""Problems for machines: json, json lines, SARIF 2.1.0, GitHub's workflow commands."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from hieratk.diagnostics.problem import Problem, Source, Span

_SARIF_LEVEL = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVEL = {"error": "error", "warning": "warning", "info": "notice"}


def json_document(problems: Sequence[Problem]) -> str:
    """One object: version 1, the diagnostics, how many of each severity.

    Rows and columns count from 1 and ends are exclusive; `offset` counts characters from the start of the text, so that
    edits need no line arithmetic.
    """
    summary: dict[str, int] = {}
    for problem in problems:
        summary[problem.severity] = summary.get(problem.severity, 0) + 1 + problem.more
    document = {"version": 1, "diagnostics": [_diagnostic(problem) for problem in problems], "summary": summary}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def json_lines(problems: Sequence[Problem]) -> str:
    """One diagnostic a line, each as in `json_document`; nothing where there are none."""
    return "".join(json.dumps(_diagnostic(problem), ensure_ascii=False) + "\n" for problem in problems)


def _diagnostic(problem: Problem) -> dict[str, Any]:
    source = problem.source
    found: dict[str, Any] = {
        "code": problem.code,
        "name": problem.name,
        "severity": problem.severity,
        "file": source.name,
        "start": _place(source, problem.span.start),
        "end": _place(source, problem.span.end),
        "offset": list(problem.span),
        "message": problem.message,
        "label": problem.label,
        "related": [
            {
                "start": _place(source, span.start),
                "end": _place(source, span.end),
                "offset": list(span),
                "label": label,
            }
            for span, label in problem.related
        ],
        "notes": list(problem.notes),
        "help": problem.help,
        "fix": None,
    }
    if problem.fix is not None:
        edits = [{"offset": list(edit.span), "content": edit.content} for edit in problem.fix.edits]
        found["fix"] = {"applicability": problem.fix.applicability, "edits": edits}
    if problem.more:
        found["more"] = problem.more
    return found


def _place(source: Source, offset: int) -> dict[str, int]:
    row, column = source.position(offset)
    return {"row": row, "column": column}


def sarif(problems: Sequence[Problem]) -> str:
    """A SARIF 2.1.0 log with one run. Columns count Unicode code points; paths are written with `/`."""
    rules = {problem.code: problem.name for problem in problems}
    driver = {
        "name": "hieratk",
        "rules": [{"id": code, **({"name": name} if name else {})} for code, name in sorted(rules.items())],
    }
    run = {
        "columnKind": "unicodeCodePoints",
        "tool": {"driver": driver},
        "results": [_result(problem) for problem in problems],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=1) + "\n"


def _result(problem: Problem) -> dict[str, Any]:
    source = problem.source
    # A URI reference: a blank in a file name, or the angles of <stdin>, would make the log invalid.
    artifact = {"uri": urllib.parse.quote(PurePath(source.name).as_posix())}
    row, _ = problem.position
    # The trimmed line instead of its number: the finding stays the same one when lines are added above it.
    mark = f"{artifact['uri']}\n{problem.code}\n{source.line(row).strip()}"
    text = problem.message + (f". Help: {problem.help}" if problem.help else "")
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "level": _SARIF_LEVEL[problem.severity],
        "message": {"text": text},
        "locations": [
            {"physicalLocation": {"artifactLocation": artifact, "region": _region(source, problem.span)}},
        ],
        "partialFingerprints": {"hieratk/v1": hashlib.sha256(mark.encode("utf-8", "replace")).hexdigest()[:16]},
    }
    if problem.related:
        result["relatedLocations"] = [
            {
                "physicalLocation": {"artifactLocation": artifact, "region": _region(source, span)},
                "message": {"text": label},
            }
            for span, label in problem.related
        ]
    if problem.fix is not None:
        replacements = [
            {"deletedRegion": _region(source, edit.span), "insertedContent": {"text": edit.content}}
            for edit in problem.fix.edits
        ]
        changes = [{"artifactLocation": artifact, "replacements": replacements}]
        result["fixes"] = [{"description": {"text": problem.help or problem.message}, "artifactChanges": changes}]
    return result


def _region(source: Source, span: Span) -> dict[str, int]:
    (row, column), (end_row, end_column) = source.position(span.start), source.position(span.end)
    return {"startLine": row, "startColumn": column, "endLine": end_row, "endColumn": end_column}


def github(problems: Sequence[Problem]) -> str:
    """Workflow commands, one a line. GitHub shows ten of a kind in a step, so the line with the counts goes first."""
    if not problems:
        return ""
    counts = {level: sum(1 + p.more for p in problems if p.severity == level) for level in _GITHUB_LEVEL}
    worst = next(level for level in _GITHUB_LEVEL if counts[level])
    text = ", ".join(f"{n} {level}{'s' * (n > 1 and level != 'info')}" for level, n in counts.items() if n)
    lines = [f"::{_GITHUB_LEVEL[worst]} title=hieratk::{text}"]
    for problem in problems:
        (row, column), (end_row, end_column) = problem.position, problem.source.position(problem.span.end)
        place = f"line={row},endLine={end_row}"
        # A column across rows makes GitHub drop the annotation.
        if end_row == row:
            place += f",col={column},endColumn={end_column}"
        title = _property(f"hieratk ({problem.code})")
        message = problem.message + (f" ({problem.help})" if problem.help else "")
        file = _property(PurePath(problem.source.name).as_posix())
        lines.append(f"::{_GITHUB_LEVEL[problem.severity]} title={title},file={file},{place}::{_data(message)}")
    return "\n".join(lines) + "\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
