"""Rules about the shape of a document (S), and the way from values with places to a `Draft`."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Map
from pathlib import Path, PurePath

from hieratk.diagnostics import Edit, Findings, Fix, Span
from hieratk.documents import Mapping, Scalar, Sequence, Value
from hieratk.taxonomy import spec
from hieratk.taxonomy.draft import Details, Draft, EncodingDraft, SpecialDraft
from hieratk.taxonomy.fields import Fields
from hieratk.taxonomy.outline import Outline, lose

_KIND = re.compile(r"(taxonomy|crosswalk)/([0-9]{1,6})")
_PLACEHOLDER = Scalar("hieratk", Span(0, 0))


def check_shape(document: Value, findings: Findings, *, above: tuple[Path, ...] = ()) -> Draft | None:
    """The draft of a composed document, with the classes of its base in it; None where it is no taxonomy at all.

    `above` holds the files that led to this document by extension.
    """
    if not isinstance(document, Mapping):
        findings.add("S001", _first_word(document), "a taxonomy is a mapping", help="begin with `hieratk: taxonomy/1`")
        return None
    if not _is_taxonomy(document, findings):
        return None
    return _Shape(findings, above).draft(document)


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
    def __init__(self, findings: Findings, above: tuple[Path, ...]) -> None:
        self.findings = findings
        self.report = findings.add
        self.fields = Fields(findings)
        self.outline = Outline(self.fields)
        self.above = above
        self.baseless = False

    def draft(self, document: Mapping) -> Draft:
        sections: dict[str, Callable[[Draft, Value, Scalar], None]] = {
            "extends": self._extends,
            "tree": self._tree,
            "extend": self._extend,
            "levels": self._levels,
            "special": self._special,
            "classes": self._classes,
            "encodings": self._encodings,
            "attributes": self._attributes,
            "source": self._sources,
            "codes": self._codes,
        }
        first = document.entries[0][0]
        simple = [(key, value) for key, value in document.entries if key.text not in sections]
        rest = Mapping(tuple(simple), document.span, document.flow, document.lost)
        draft = Draft(self.fields.fields(rest, first, _simple_keys(sections)) or Details(first))
        draft.lost.update(document.lost)
        # What stands under a misspelt section has been reported; what refers to it is not at fault.
        draft.lost.update({"tree": "*"}.get(name, name) for name in sections if name in draft.head.raw)
        # `classes` after `tree` and `extend`: what is said there belongs to classes that are known by then.
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
        self._base(draft)
        raw = draft.head.raw
        if "tree" not in raw and "tree" not in document.lost and "extends" not in raw and "extend" not in raw:
            self.report("S005", first.span, "the document has no `tree`", help="write the classes under `tree:`")
        self._file_name(draft)
        return draft

    def _extends(self, draft: Draft, value: Value, key: Scalar) -> None:
        from hieratk.taxonomy import extension

        details = self.fields.fields(value, key, spec.EXTENDS)
        self.baseless = details is None or not extension.grow(draft, details, self.findings, self.above)
        self.outline.seen.update((entry.id, entry.key) for entry in draft.entries)
        self.outline.seen.update((special.id, special.key) for special in draft.special)

    def _extend(self, draft: Draft, value: Value, key: Scalar) -> None:
        from hieratk.taxonomy import extension

        if not extension.may_extend(draft, value, key, self.findings):
            self.baseless = "tree" not in draft.head.raw
        elif (mapping := self._mapping(value, key, "a mapping from class to outline")) is not None:
            extension.hang(draft, mapping, self.outline)

    def _base(self, draft: Draft) -> None:
        if self.baseless:
            # Whatever is named may stand in the base.
            draft.entries, draft.at, draft.classes = [], {}, []
            draft.lost.update(("*", "levels", "attributes"))
        if "extends" in draft.head.raw:
            from hieratk.taxonomy.extension import check_head

            check_head(draft, self.findings)

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
        if "extends" in draft.head.raw:
            lose(draft, outline)
            return
        self.outline.read(draft, outline)

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
        if draft.base is not None and draft.levels:
            from hieratk.taxonomy.extension import levels

            draft.levels = levels(draft, names, value, self.findings)
        else:
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

    def _details(self, content: Value, name: Scalar, table: Map[str, spec.Key]) -> Details:
        if isinstance(content, Scalar) and content.empty:
            return Details(name)
        return self.fields.fields(content, name, table) or Details(name)

    def _special(self, draft: Draft, value: Value, key: Scalar) -> None:
        for name, content in self._entries(draft, value, key):
            self.fields.good_id(name, name.text, "id")
            first = self.outline.seen.setdefault(name.text, name)
            if first is not name:
                self.outline.used_again(draft, name.text, first, name)
                continue
            details = self._details(content, name, spec.SPECIAL)
            draft.special.append(SpecialDraft(name.text, name, details, details.get("pixel") or []))

    def _classes(self, draft: Draft, value: Value, key: Scalar) -> None:
        for name, content in self._entries(draft, value, key):
            details = self._details(content, name, spec.CLASS)
            entry = draft.entry(name.text)
            if entry is not None and entry.key.span.start < 0 and draft.base is not None:
                from hieratk.taxonomy.extension import add_to_class

                entry.details = add_to_class(entry, details, draft.base, self.findings)
                draft.classes.append(entry.details)
                continue
            draft.classes.append(details)
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
        inherited = {encoding.name: at for at, encoding in enumerate(draft.encodings)}
        for name, content in self._entries(draft, value, key):
            self.fields.good_id(name, name.text, "encoding", "S007")
            before = inherited.get(name.text)
            details = self._details(content, name, spec.ENCODING if before is None else spec.FURTHER_ENCODING)
            if before is not None and draft.base is not None:
                from hieratk.taxonomy.extension import add_to_encoding

                draft.encodings[before] = add_to_encoding(draft.encodings[before], details, draft.base, self.findings)
                continue
            draft.encodings.append(EncodingDraft(name.text, name, details, details.get("values") or []))

    def _attributes(self, draft: Draft, value: Value, key: Scalar) -> None:
        for name, content in self._entries(draft, value, key):
            self.fields.good_id(name, name.text, "attribute", "S007")
            details = self._details(content, name, spec.ATTRIBUTE)
            before = draft.attributes.get(name.text)
            if before is not None and draft.base is not None:
                from hieratk.taxonomy.extension import same_attribute

                same_attribute(before, details, draft.base, self.findings)
                continue
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
