"""Rules about the shape of a document (S), and the way from values with places to a `Draft`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from hieratk.diagnostics import Edit, Findings, Fix, Span
from hieratk.documents import Mapping, Scalar, Sequence, Value, as_word
from hieratk.taxonomy import spec
from hieratk.taxonomy.draft import Details, Draft, EncodingDraft, Entry, SpecialDraft
from hieratk.taxonomy.fields import Fields

_KIND = re.compile(r"(taxonomy|crosswalk)/([0-9]{1,6})")
_PLACEHOLDER = Scalar("hieratk", Span(0, 0))


def check_shape(document: Value, findings: Findings) -> Draft | None:
    """The draft of a composed document; None where it is no taxonomy at all."""
    if not isinstance(document, Mapping):
        findings.add("S001", _first_word(document), "a taxonomy is a mapping", help="begin with `hieratk: taxonomy/1`")
        return None
    if not _is_taxonomy(document, findings):
        return None
    return _Shape(findings).draft(document)


def _first_word(value: Value) -> Span:
    return value.span if isinstance(value, Scalar) else Span(value.span.start, value.span.start + 1)


def _is_taxonomy(document: Mapping, findings: Findings) -> bool:
    if not document.entries:
        findings.add("S001", _first_word(document), "no key `hieratk`", help="begin with `hieratk: taxonomy/1`")
        return False
    first, value = document.entries[0]
    says = document.get("hieratk")
    if says is None:
        meant = findings.suggest(first.text, ["hieratk"])
        findings.add(
            "S001",
            first.span,
            "the first key is not `hieratk`",
            help="did you mean `hieratk`?" if meant else "begin with `hieratk: taxonomy/1`",
        )
        # A misspelt first key would be unknown once more.
        return False
    if first.text != "hieratk":
        findings.add("S001", first.span, "the first key is not `hieratk`", help="move `hieratk: taxonomy/1` to the top")
        return True
    match = _KIND.fullmatch(value.text) if isinstance(value, Scalar) else None
    span = first.span if not isinstance(value, Scalar) or value.empty else value.span
    if match is None:
        shown = f"`{value.text}`" if isinstance(value, Scalar) else "this"
        findings.add("S001", span, f"{shown} is no kind of document", help="write `hieratk: taxonomy/1`")
        return False
    if match[1] == "crosswalk":
        findings.add(
            "S001", span, "this is a crosswalk, not a taxonomy", help="a taxonomy begins with `hieratk: taxonomy/1`"
        )
        return False
    if match[2] != "1":
        findings.add(
            "S002",
            span,
            f"version {match[2]} of the language is not known to this hieratk, which reads version 1",
            help="install a newer hieratk, or write `taxonomy/1`",
        )
        return False
    return True


class _Shape:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.report = findings.add
        self.fields = Fields(findings)
        self.seen: dict[str, Scalar] = {}

    def draft(self, document: Mapping) -> Draft:
        sections: dict[str, Callable[[Draft, Value, Scalar], None]] = {
            "tree": self._tree,
            "levels": self._levels,
            "special": self._special,
            "classes": self._classes,
            "encodings": self._encodings,
            "attributes": self._attributes,
            "source": self._sources,
            "codes": self._codes,
            "extends": self._not_yet,
            "extend": self._not_yet,
        }
        first = document.entries[0][0]
        simple = [(key, value) for key, value in document.entries if key.text not in sections]
        rest = Mapping(tuple(simple), document.span, document.flow, document.lost)
        draft = Draft(self.fields.fields(rest, first, _simple_keys(sections)) or Details(first))
        draft.lost.update(document.lost)
        # What stands under a misspelt section has been reported; what refers to it is not at fault.
        draft.lost.update({"tree": "*"}.get(name, name) for name in sections if name in draft.head.raw)
        # `classes` after `tree`: what is said there belongs to classes that are known by then.
        for name, section in sections.items():
            for key, value in document.entries:
                if key.text != name:
                    continue
                draft.head.raw[name] = value
                draft.head.keys[name] = key
                if isinstance(value, Scalar) and value.empty:
                    self.report("S008", key.span, f"key `{name}` has no value", help="write a value, or remove the key")
                else:
                    section(draft, value, key)
        raw = draft.head.raw
        if "tree" not in raw and "tree" not in document.lost and "extends" not in raw and "extend" not in raw:
            self.report("S005", first.span, "the document has no `tree`", help="write the classes under `tree:`")
        self._file_name(draft)
        return draft

    def _not_yet(self, _draft: Draft, _value: Value, key: Scalar) -> None:
        self.report(
            "S002", key.span, f"`{key.text}` is not read by this version of hieratk", help="write the whole tree"
        )

    def _file_name(self, draft: Draft) -> None:
        id_, name = draft.head.get("id"), PurePath(self.findings.source.name).name
        stem, dot, ending = name.partition(".")
        if id_ and dot and ending in ("yaml", "yml", "taxonomy.yaml", "taxonomy.yml") and stem != id_:
            span = draft.head.span("id")
            fix = Fix("unsafe", (Edit(span, stem),))
            self.report(
                "S011", span, f"id `{id_}` differs from the file name `{name}`", help="rename one of them", fix=fix
            )

    def _mapping(self, value: Value, key: Scalar, what: str) -> Mapping | None:
        if isinstance(value, Mapping):
            return value
        self.fields.say.wrong_shape(value, key, what)
        return None

    def _tree(self, draft: Draft, value: Value, key: Scalar) -> None:
        outline = self._mapping(value, key, "a mapping of classes")
        if outline is None:
            draft.lost.add("*")
            return
        entries, at, seen, fields = draft.entries, draft.at, self.seen, self.fields
        stack: list[tuple[Mapping, int, int, int]] = [(outline, 0, -1, 0)]
        while stack:
            mapping, position, parent, depth = stack.pop()
            if position == 0 and mapping.lost:
                draft.lost.update(mapping.lost)
                if parent >= 0:
                    entries[parent].unreadable = True
            items = mapping.entries
            while position < len(items):
                name, content = items[position]
                position += 1
                id_ = name.text
                first = seen.setdefault(id_, name)
                if first is not name:
                    self._used_again(id_, first, name)
                    # The second one is left out, and with it whatever stands below it.
                    _lose(draft, content)
                    if parent >= 0:
                        entries[parent].unreadable = True
                    continue
                if not name.quoted and (seen_as := as_word(id_)):
                    self.report(
                        "T006",
                        name.span,
                        f"unquoted `{id_}` is not text to every YAML reader",
                        label=seen_as,
                        help="take another id",
                    )
                fields.good_id(name, id_, "id")
                index = len(entries)
                entry = Entry(id_, name, parent, depth)
                entries.append(entry)
                at[id_] = index
                if parent >= 0:
                    entries[parent].children.append(index)
                if type(content) is Mapping:
                    if content.entries:
                        stack.append((mapping, position, parent, depth))
                        stack.append((content, 0, index, depth + 1))
                        break
                    entry.unreadable = bool(content.lost)
                    draft.lost.update(content.lost)
                elif not (type(content) is Scalar and content.empty):
                    found = fields.pixel(content, name)
                    entry.unreadable = found is None
                    entry.pixels = found or []

    def _used_again(self, id_: str, first: Scalar, again: Scalar) -> None:
        self.report(
            "T001",
            again.span,
            f"class id `{id_}` is already used",
            label="used again here",
            related=[(first.span, "first used here")],
            help="ids are unique in the whole taxonomy, not only among siblings",
        )

    def _levels(self, draft: Draft, value: Value, key: Scalar) -> None:
        if not isinstance(value, Sequence):
            self.fields.say.wrong_shape(value, key, "a list of names")
            draft.lost.add("levels")
            return
        names: dict[str, Scalar] = {}
        for item in value.items:
            if not isinstance(item, Scalar) or item.empty:
                self.fields.say.wrong_shape(item, key, "names")
                draft.lost.add("levels")
            elif item.text in names:
                self.report(
                    "S007",
                    item.span,
                    f"level `{item.text}` is listed twice",
                    related=[(names[item.text].span, "first listed here")],
                )
                draft.lost.add("levels")
            else:
                self.fields.good_id(item, item.text, "level", "S007")
                names[item.text] = item
        if not value.items:
            self.report("S007", value.span, "the list of `levels` is empty", help="name the levels, or remove the key")
        draft.levels = list(names.values())

    def _entries(self, draft: Draft, value: Value, key: Scalar) -> list[tuple[Scalar, Value]]:
        mapping = self._mapping(value, key, "a mapping")
        if mapping is None:
            draft.lost.add(key.text)
            return []
        draft.lost.update(mapping.lost)
        found = []
        for name, content in mapping.entries:
            if isinstance(content, Scalar) and content.empty:
                self.report(
                    "S008", name.span, f"key `{name.text}` has no value", help="write a value, or remove the key"
                )
            found.append((name, content))
        return found

    def _details(self, content: Value, name: Scalar, table: str) -> Details:
        if isinstance(content, Scalar) and content.empty:
            return Details(name)
        return self.fields.fields(content, name, spec.TABLES[table]) or Details(name)

    def _special(self, draft: Draft, value: Value, key: Scalar) -> None:
        for name, content in self._entries(draft, value, key):
            self.fields.good_id(name, name.text, "id")
            first = self.seen.setdefault(name.text, name)
            if first is not name:
                self._used_again(name.text, first, name)
                continue
            details = self._details(content, name, "special")
            draft.special.append(SpecialDraft(name.text, name, details, details.get("pixel") or []))

    def _classes(self, draft: Draft, value: Value, key: Scalar) -> None:
        for name, content in self._entries(draft, value, key):
            details = self._details(content, name, "classes")
            draft.classes.append(details)
            entry = draft.entry(name.text)
            if entry is None:
                continue
            entry.details = details
            kind_unknown = "kind" in details.raw and details.get("kind") is None
            if details.get("parts") is not None and entry.kind != "mixed" and not kind_unknown:
                self.report(
                    "S009",
                    details.keys["parts"].span,
                    f"`parts` of `{entry.id}` needs `kind: mixed`",
                    help="add `kind: mixed`",
                )
            pixel = details.get("pixel")
            if pixel is None:
                continue
            if entry.pixels:
                self.report(
                    "S009",
                    details.keys["pixel"].span,
                    f"`{entry.id}` has a pixel value in `tree` and another one here",
                    related=[(entry.pixels[0].span, "the first one")],
                    help="keep the one in `tree`",
                )
            else:
                entry.pixels = pixel

    def _encodings(self, draft: Draft, value: Value, key: Scalar) -> None:
        for name, content in self._entries(draft, value, key):
            self.fields.good_id(name, name.text, "encoding", "S007")
            details = self._details(content, name, "encodings")
            draft.encodings.append(EncodingDraft(name.text, name, details, details.get("values") or []))

    def _attributes(self, draft: Draft, value: Value, key: Scalar) -> None:
        for name, content in self._entries(draft, value, key):
            self.fields.good_id(name, name.text, "attribute", "S007")
            details = self._details(content, name, "attributes")
            draft.attributes[name.text] = details
            kind = details.get("type")
            if kind == "enum" and "values" not in details.raw:
                self.report(
                    "S009", name.span, f"enum `{name.text}` needs `values`", help="list them: values: [low, high]"
                )
            elif kind not in (None, "enum") and "values" in details.raw:
                self.report("S009", details.keys["values"].span, f"`values` needs `type: enum`, not `{kind}`")

    def _sources(self, draft: Draft, value: Value, key: Scalar) -> None:
        if not isinstance(value, Sequence):
            self.fields.say.wrong_shape(value, key, "a list of sources", "begin each source with `- title: `")
            return
        found = []
        for item in value.items:
            details = self.fields.fields(item, key, spec.SOURCE)
            if details is not None:
                found.append(dict(details.typed))
        draft.head.typed["source"] = found

    def _codes(self, draft: Draft, value: Value, key: Scalar) -> None:
        details = self.fields.fields(value, key, spec.CODES)
        if details is not None:
            draft.head.typed["codes"] = details


def _simple_keys(sections: dict[str, Callable[[Draft, Value, Scalar], None]]) -> dict[str, spec.Key]:
    """All keys of a document, so that suggestions know them; those with a section of their own never arrive here."""
    keys = dict(spec.DOCUMENT)
    # Whether `tree` is there is asked elsewhere, since `extend` can stand for it.
    assert all(not keys[name].required for name in sections)
    return keys


def _lose(draft: Draft, content: Value) -> None:
    """Note every id below a class that is left out, so that references to it raise nothing."""
    stack = [content]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            for name, inner in value.entries:
                if name.text not in draft.at:
                    draft.lost.add(name.text)
                stack.append(inner)
