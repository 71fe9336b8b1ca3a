"""YAML events to values. PyYAML's own composer recurses in C, and 100,000 brackets kill the process; events do not."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from hieratk.diagnostics import Edit, Findings, Fix, Problem, Source, Span
from hieratk.documents.collection import paused_collection
from hieratk.documents.texts import DEEPEST, MOST_VALUES, TEXT_RULES, check_text
from hieratk.documents.values import Mapping, Scalar, Sequence, Value
from hieratk.documents.words import quote

_COLOR_COMMENT = re.compile(r":?[ \t]+(#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3}))(?=[ \t]*[,}]?[ \t]*(?:\r|\n|$))")
_FULL_WIDTH_COLON = "："


def compose(source: Source) -> tuple[Value | None, list[Problem]]:
    """The document of a text, and what is wrong with the text (rules Y, but for those that must know the field).

    Every scalar is kept as written, with its place. The value is None where the text is not YAML or holds an alias;
    what else is wrong costs at most the entry it stands in, whose key is then in `Mapping.lost`. Neither depth nor size
    of a hostile text can crash or hang the process (limits: `hieratk.documents.texts`).
    """
    composed = _compose(source)
    if composed.stopped is None:
        return composed.value, composed.problems
    # Only a broken text pays for the search for what is broken below.
    from hieratk.documents.repairs import further

    return None, [*composed.problems, *further(source, composed.problems, _compose)]


class Composed(NamedTuple):
    """What one reading of a text gave: `stopped` is where the parser could go no further, None where it reached the
    end or was not begun."""

    value: Value | None
    problems: list[Problem]
    stopped: int | None = None


def _compose(source: Source) -> Composed:
    findings = Findings(source, TEXT_RULES)
    if not check_text(findings):
        return Composed(None, findings.problems())
    shift = 1 if source.text.startswith("\ufeff") else 0
    # Without libyaml the pure reader does the same work, ten times slower.
    loader_class: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    loader = loader_class(source.text[shift:])
    builder = _Builder(findings, shift)
    value: Value | None = None
    stopped = None
    try:
        with paused_collection():
            value = builder.build(loader)
    except yaml.YAMLError as error:
        # What cannot be seen may be why the parser stopped; that is then said once.
        findings.forget("Y015")
        from hieratk.documents.faults import explain, stop_of

        stopped = stop_of(error, source, shift=shift)
        explained = Findings(source, TEXT_RULES)
        explain(explained, error, shift=shift)
        problems = findings.problems()
        return Composed(None, [*problems, *_not_said(explained.problems(), problems)], stopped)
    except _Stop:
        pass
    finally:
        loader.dispose()
    return Composed(value, findings.problems(), stopped)


def _not_said(explanation: list[Problem], problems: list[Problem]) -> list[Problem]:
    """Why the parser stopped, unless that has been said: a colour that is a comment takes the closing brace along."""
    errors = [problem for problem in problems if problem.severity == "error"]
    eaten = any(problem.code in ("Y009", "Y013") for problem in errors)
    said = {(problem.code, problem.span) for problem in errors}
    return [
        problem
        for problem in explanation
        if (problem.code, problem.span) not in said and not (eaten and problem.code == "Y001")
    ]


class _Stop(Exception):
    """What was found makes the rest of the text unreadable."""


class _Frame:
    """An open list or mapping."""

    __slots__ = ("entries", "flow", "is_mapping", "items", "key", "key_lost", "lost", "start")

    def __init__(self, start: int, *, is_mapping: bool, flow: bool) -> None:
        self.start = start
        self.is_mapping = is_mapping
        self.flow = flow
        self.items: list[Value] = []
        self.entries: list[tuple[Scalar, Value]] = []
        self.key: Scalar | None = None
        self.key_lost = False
        self.lost: list[str] = []


class _Builder:
    def __init__(self, findings: Findings, shift: int) -> None:
        self.findings = findings
        self.shift = shift
        self.text = findings.source.text
        self.root: Value | None = None
        self.stack: list[_Frame] = []

    def build(self, loader: Any) -> Value | None:
        shift, stack = self.shift, self.stack
        documents = count = 0
        # Names of this loop: it runs once for each value of the document.
        next_event, attach, scalar, plain_styles = loader.get_event, self._attach, yaml.ScalarEvent, ("", None)
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is scalar:
                count += 1
                if event.anchor or event.tag:
                    self._extra(event)
                span = Span(event.start_mark.index + shift, event.end_mark.index + shift)
                attach(Scalar(event.value, span, event.style not in plain_styles))
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                count += 1
                if event.anchor or event.tag:
                    self._extra(event)
                start = event.start_mark.index + shift
                if len(stack) >= DEEPEST:
                    self.findings.add("Y018", Span(start, start + 1), f"nested deeper than {DEEPEST} levels")
                    raise _Stop
                stack.append(_Frame(start, is_mapping=kind is yaml.MappingStartEvent, flow=bool(event.flow_style)))
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._attach(self._close(event.end_mark.index + shift))
            elif kind is yaml.AliasEvent:
                span = Span(event.start_mark.index + shift, event.end_mark.index + shift)
                self.findings.add(
                    "Y008", span, f"`*{event.anchor}` is a YAML alias", help="write it out, or quote it if it is text"
                )
                raise _Stop
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                start = event.start_mark.index + shift
                if documents > 1:
                    self.findings.add(
                        "Y005", Span(start, start + 3), "a second document begins here", help="one file, one document"
                    )
                    break
                if event.version or event.tags:
                    span = self._line_of("%", start)
                    self.findings.add(
                        "Y005", span, "a YAML directive is not part of the language", help="remove the line"
                    )
            elif kind is yaml.DocumentEndEvent and event.explicit:
                start = event.start_mark.index + shift
                self.findings.add("Y005", Span(start, start + 3), "`...` ends the document", help="remove the line")
            if count > MOST_VALUES:
                self.findings.add("Y018", Span(0, 0), f"the text holds more than {MOST_VALUES:,} values")
                raise _Stop
        if self.root is None or (isinstance(self.root, Scalar) and self.root.empty):
            self.findings.add("Y019", Span(0, 0), "the file holds no value")
            return None
        return self.root

    def _attach(self, value: Value) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        if not frame.is_mapping:
            frame.items.append(value)
        elif frame.key is None:
            self._take_key(frame, value)
        else:
            key, frame.key = frame.key, None
            if frame.key_lost:
                frame.key_lost = False
            elif type(value) is Scalar and not value.text and not value.quoted:
                self._hollow(frame, key, value)
            else:
                frame.entries.append((key, value))

    def _take_key(self, frame: _Frame, value: Value) -> None:
        if type(value) is not Scalar:
            self.findings.add("Y008", value.span, "a list or mapping is used as a key", help="keys are plain text")
            frame.key, frame.key_lost = Scalar("", value.span), True
            return
        frame.key = value
        if value.text == "<<" and not value.quoted:
            self.findings.add("Y008", value.span, "`<<` is a YAML merge key", help="write the entries out")
            frame.key_lost = True
        elif not value.text and not value.quoted:
            start = value.span.start
            self.findings.add(
                "Y008",
                Span(start, min(start + 1, len(self.text))),
                "an entry has no key",
                help="write the key before the colon",
            )
            frame.key_lost = True

    def _hollow(self, frame: _Frame, key: Scalar, value: Scalar) -> None:
        """An entry without a value: what stands there that YAML did not take for one?"""
        if not key.quoted and ":" in key.text:
            name, _, rest = key.text.partition(":")
            at = key.span.start + len(name) + 1
            self.findings.add(
                "Y010",
                key.span,
                f"no blank after the colon: `{key.text}` is one key without a value",
                help=f"write {name}: {rest}",
                fix=Fix("safe", (Edit(Span(at, at), " "),)),
            )
            quoted = len(rest) > 1 and rest[0] == rest[-1] and rest[0] in "\"'"
            inner = Scalar(rest[1:-1] if quoted else rest, Span(at, key.span.end), quoted)
            frame.entries.append((Scalar(name, Span(key.span.start, at - 1)), inner))
            return
        if not key.quoted and _FULL_WIDTH_COLON in key.text:
            at = key.span.start + key.text.index(_FULL_WIDTH_COLON)
            self.findings.add(
                "Y009",
                Span(at, at + 1),
                "full-width colon; YAML needs the ASCII one",
                help='write ": "',
                fix=Fix("safe", (Edit(Span(at, at + 1), ": "),)),
            )
            frame.lost.append(key.text.partition(_FULL_WIDTH_COLON)[0].strip())
            return
        if match := _COLOR_COMMENT.match(self.text, key.span.end):
            color = Span(*match.span(1))
            self.findings.add(
                "Y013",
                color,
                "the colour is read as a comment",
                label="everything after # is a comment",
                help=f"quote it: {quote(match[1])}",
                fix=Fix("safe", (Edit(color, quote(match[1])),)),
            )
            frame.lost.append(key.text)
            return
        frame.entries.append((key, value))

    def _close(self, end: int) -> Value:
        frame = self.stack.pop()
        if not frame.is_mapping:
            return Sequence(tuple(frame.items), Span(frame.start, end), frame.flow)
        entries = frame.entries
        first: dict[str, Scalar] = {}
        for key, _ in entries:
            first.setdefault(key.text, key)
        if len(first) != len(entries):
            for key, _ in entries:
                if first[key.text] is not key:
                    self.findings.add(
                        "Y007",
                        key.span,
                        f"key `{key.text}` is given twice in one mapping",
                        label="given again here",
                        related=[(first[key.text].span, "first given here")],
                        help="keep one of them; other YAML readers keep the last and say nothing",
                    )
            entries = [(key, value) for key, value in entries if first[key.text] is key]
        if not frame.flow and entries:
            # libyaml ends a block mapping where the next token begins, some rows further down.
            end = max(entries[-1][1].span.end, entries[-1][0].span.end)
        return Mapping(tuple(entries), Span(frame.start, end), frame.flow, tuple(frame.lost))

    def _extra(self, event: Any) -> None:
        start = event.start_mark.index + self.shift
        match = re.compile(r"[&!][^\s,\[\]{}]*").match(self.text, start)
        span = Span(start, match.end() if match else start + 1)
        word = self.text[span.start : span.end]
        what = "anchor" if event.anchor else "tag"
        self.findings.add("Y008", span, f"`{word}` is a YAML {what}", help="remove it, or quote the text")

    def _line_of(self, sign: str, before: int) -> Span:
        start = self.text.find(sign)
        end = self.text.find("\n", start)
        return Span(start, end if end >= 0 else len(self.text)) if start >= 0 else Span(before, before + 1)
