"""Ids in a document that name classes: found, or reported with what may be meant."""

from __future__ import annotations

from collections.abc import Iterator

from hieratk.diagnostics import Edit, Findings, Fix, Span
from hieratk.documents import Mapping, Scalar, Sequence
from hieratk.taxonomy.draft import Details, Draft, Entry


class References:
    """Looks ids up. Nothing is said about an id that stands in a part of the document that could not be read."""

    def __init__(self, draft: Draft, findings: Findings) -> None:
        self.draft = draft
        self.findings = findings
        self._words: dict[str, str] | None = None
        self._special = {entry.id for entry in draft.special}

    def named(self, details: Details, key: str) -> Iterator[Scalar]:
        """The ids under a key, with their places: items of a list, or keys of a mapping."""
        raw = details.raw.get(key)
        if details.get(key) is None:
            return
        if isinstance(raw, Sequence):
            yield from (item for item in raw.items if isinstance(item, Scalar) and not item.empty)
        elif isinstance(raw, Mapping):
            yield from (name for name, _ in raw.entries)

    def known(self, word: Scalar, *, code: str = "T601", where: str = "in the tree") -> Entry | None:
        """The class of an id, or None and a finding."""
        entry = self.draft.entry(word.text)
        if entry is None and not self.lost(word.text):
            self.unknown(word.text, word.span, code=code, where=where)
        return entry

    def lost(self, id_: str) -> bool:
        """Whether the id may stand in what could not be read."""
        return id_ in self.draft.lost or "*" in self.draft.lost

    def unknown(self, id_: str, span: Span, *, code: str, where: str) -> None:
        """Report an unknown class."""
        if id_ in self._special:
            self.findings.add(code, span, f"`{id_}` is a special value, not a class", label="not a class")
            return
        if self._words is None:
            self._words = self.draft.words()
        words = self._words
        meant = [] if self.findings.full(code) else self.findings.suggest(id_, words, meaning=words)
        self.findings.add(
            code,
            span,
            f"no class `{id_}` {where}",
            label="unknown class",
            help=f"did you mean {' or '.join(f'`{found}`' for found in meant)}?" if meant else "",
            fix=Fix("unsafe", (Edit(span, meant[0]),)) if meant and span.start >= 0 else None,
        )
