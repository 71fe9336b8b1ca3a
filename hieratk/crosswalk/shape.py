"""Rules about the shape of a crosswalk (S, X005), and the way from values with places to a `Draft`."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from hieratk.crosswalk import spec
from hieratk.crosswalk.draft import Draft, Line, Target
from hieratk.crosswalk.values import VERBS
from hieratk.diagnostics import Edit, Findings, Fix, Span
from hieratk.documents import Mapping, Scalar, Sequence, Value, as_number, as_word
from hieratk.taxonomy.draft import Details
from hieratk.taxonomy.fields import Fields
from hieratk.taxonomy.spec import SOURCE

_KIND = re.compile(r"(taxonomy|crosswalk)/([0-9]{1,6})")
_CONFIDENCE = re.compile(r"0?\.[0-9]{1,17}|[01](\.0{0,17})?")
_BEGIN = "begin with `hieratk: crosswalk/1`"


def check_shape(document: Value, findings: Findings) -> Draft | None:
    """The draft of a composed document; None where it is no crosswalk at all."""
    if not isinstance(document, Mapping):
        span = document.span if isinstance(document, Scalar) else Span(document.span.start, document.span.start + 1)
        findings.add("S001", span, "a crosswalk is a mapping", help=_BEGIN)
        return None
    if not _is_crosswalk(document, findings):
        return None
    fields = CrosswalkFields(findings)
    # What is missing is missing in the document, not under its first key.
    kind = document.entries[0][1]
    first = Scalar("crosswalk/1", kind.span if isinstance(kind, Scalar) else document.entries[0][0].span)
    draft = Draft(fields.fields(document, first, spec.DOCUMENT) or Details(first))
    draft.lines = fields.lines
    draft.unreadable = fields.unreadable or "map" in document.lost
    _file_name(draft, findings)
    return draft


def _is_crosswalk(document: Mapping, findings: Findings) -> bool:
    if not document.entries:
        findings.add("S001", Span(document.span.start, document.span.start + 1), "no key `hieratk`", help=_BEGIN)
        return False
    first, value = document.entries[0]
    if document.get("hieratk") is None:
        meant = findings.suggest(first.text, ["hieratk"])
        way = "did you mean `hieratk`?" if meant else _BEGIN
        findings.add("S001", first.span, "the first key is not `hieratk`", help=way)
        return False
    if first.text != "hieratk":
        way = "move `hieratk: crosswalk/1` to the top"
        findings.add("S001", first.span, "the first key is not `hieratk`", help=way)
        return True
    match = _KIND.fullmatch(value.text) if isinstance(value, Scalar) else None
    span = first.span if not isinstance(value, Scalar) or value.empty else value.span
    if match is None:
        shown = f"`{value.text}`" if isinstance(value, Scalar) else "this"
        findings.add("S001", span, f"{shown} is no kind of document", help="write `hieratk: crosswalk/1`")
    elif match[1] == "taxonomy":
        way = "`hieratk taxonomy validate` checks it; a crosswalk begins with `hieratk: crosswalk/1`"
        findings.add("S001", span, "this is a taxonomy, not a crosswalk", help=way)
    elif match[2] != "1":
        said = f"version {match[2]} of the language is not known to this hieratk, which reads version 1"
        findings.add("S002", span, said, help="install a newer hieratk, or write `crosswalk/1`")
    else:
        return True
    return False


def _file_name(draft: Draft, findings: Findings) -> None:
    id_, name = draft.head.get("id"), PurePath(findings.source.name).name
    stem, dot, ending = name.partition(".")
    if id_ and dot and ending in ("yaml", "yml", "crosswalk.yaml", "crosswalk.yml") and stem != id_:
        span = draft.head.span("id")
        said = f"id `{id_}` differs from the file name `{name}`"
        findings.add("S011", span, said, help="rename one of them", fix=Fix("unsafe", (Edit(span, stem),)))


class CrosswalkFields(Fields):
    """Readers of the values that only a crosswalk has; `lines` and `unreadable` are what was read under `map`."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(findings)
        self.lines: list[Line] = []
        self.unreadable = False

    def reference(self, value: Value, key: Scalar) -> Details | None:
        """One of the two trees, with the versions of it."""
        return self.fields(value, key, spec.REFERENCE)

    def sources(self, value: Value, key: Scalar) -> list[dict[str, Any]] | None:
        """What the relations were taken from."""
        if type(value) is not Sequence:
            self.say.wrong_shape(value, key, "a list of sources", "begin each source with `- title: `")
            return None
        found = [self.fields(item, key, SOURCE) for item in value.items]
        return [dict(details.typed) for details in found if details is not None]

    def confidence(self, value: Value, key: Scalar) -> float | None:
        """A number from 0 to 1."""
        text = self._scalar(value, key)
        if text is None:
            return None
        if _CONFIDENCE.fullmatch(text) and float(text) <= 1:
            return float(text)
        self.say.malformed(value, f"`{text}`", "a confidence", "write a number from 0 to 1")
        return None

    def target(self, value: Value, key: Scalar) -> list[Target] | None:
        """One class."""
        if type(value) is Scalar:
            return None if (word := self._reference_word(value, key)) is None else [Target(word)]
        way = ""
        if isinstance(value, Sequence) and len(value.items) == 1 and isinstance(value.items[0], Scalar):
            way = f"write {value.items[0].text}"
        elif key.text in ("is", "within"):
            way = f"for several write {'covers' if key.text == 'is' else 'overlaps'}"
        self.say.wrong_shape(value, key, "one class", way)
        return None

    def targets(self, value: Value, key: Scalar) -> list[Target] | None:
        """Classes, as a list or with shares."""
        if type(value) is Scalar:
            return self.target(value, key)
        if type(value) is Sequence:
            return self._listed(value, key)
        assert isinstance(value, Mapping)
        shares = self.parts(value, key)
        if shares is None or value.lost:
            return None
        if not value.entries:
            self.report("S007", value.span, f"`{key.text}` names no class", help="write one, or remove the key")
            return None
        words = [self._reference_word(word, key) for word, _ in value.entries]
        return [Target(word, shares[word.text]) for word in words if word is not None]

    def others(self, value: Value, key: Scalar) -> list[Target] | None:
        """Classes without shares."""
        if type(value) is Mapping:
            self.say.wrong_shape(value, key, "a list of classes")
            return None
        return self.targets(value, key)

    def _listed(self, value: Sequence, key: Scalar) -> list[Target] | None:
        items = self._list(value, key, "classes")
        if items is None:
            return None
        return [Target(word) for item in items if (word := self._reference_word(item, key)) is not None]

    def _reference_word(self, value: Scalar, key: Scalar) -> Scalar | None:
        """An id or code: text, which a number without quotes is to us only."""
        if value.empty:
            self.report("S008", key.span, f"key `{key.text}` has no value", help="write a class")
            return None
        if value.text != value.text.strip():
            self.say.blanks(value, value.text, f"class '{value.text}'", "error")
            return None
        self._quoting(value)
        return value

    def _quoting(self, value: Scalar) -> None:
        if value.quoted:
            return
        if seen := as_number(value.text):
            self.say.quotes("Y011", value, seen)
        elif seen := as_word(value.text):
            self.say.quotes("Y012", value, seen)

    def entries(self, value: Value, key: Scalar) -> list[Line] | None:
        """The lines of `map`."""
        if type(value) is not Mapping:
            self.say.wrong_shape(value, key, "a mapping from class to relation")
            self.unreadable = True
            return None
        self.unreadable = bool(value.lost)
        if not value.entries:
            self.report("S007", value.span, "`map` is empty", help="map a class, such as `forest: {is: forest}`")
        for name, item in value.entries:
            self._quoting(name)
            if isinstance(item, Scalar) and not item.empty:
                self.say.wrong_shape(item, name, "a relation", f"write {{is: {item.text}}}")
                details = None
            elif isinstance(item, Sequence):
                self.say.wrong_shape(item, name, "a relation", "write {covers: [...]} or {overlaps: [...]}")
                details = None
            else:
                details = self.fields(item, name, spec.ENTRY)
            # A line that cannot be read still says which class it was about.
            line = Line(name, details or Details(name), end=item.span.end)
            self.lines.append(line)
            if details is not None and isinstance(item, Mapping):
                self._verb(line, item)
        return self.lines

    def _verb(self, line: Line, item: Mapping) -> None:
        details = line.details
        verbs = [verb for verb in VERBS if verb in details.raw]
        if len(verbs) == 1:
            line.verb = verbs[0]
            line.targets = details.get(verbs[0]) or []
            return
        words = f"{', '.join(f'`{verb}`' for verb in VERBS[:-1])} and `{VERBS[-1]}`"
        if verbs:
            first, second = sorted((details.keys[verb] for verb in verbs), key=lambda word: word.span.start)[:2]
            said = f"`{line.key.text}` has {len(verbs)} relations"
            related = [(first.span, "the first one")]
            self.report("X005", second.span, said, label="a further one", related=related, help=f"keep one of {words}")
        elif not item.lost and all(name.text in spec.ENTRY for name, _ in item.entries):
            # An unknown key is a misspelt verb, and has been reported.
            self.report("X005", line.key.span, f"`{line.key.text}` has no relation", help=f"write one of {words}")
