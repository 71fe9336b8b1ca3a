"""Words of a crosswalk that name classes: found by id or by code, or reported with what may be meant."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property

from hieratk.diagnostics import Findings, Span
from hieratk.taxonomy import spec
from hieratk.taxonomy.tree import Taxonomy

_ID = re.compile(spec.ID_PATTERN)


class Lookup:
    """Finds classes and specials of one tree. A special has no code; its raster value in `default` stands for one."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self.special = {entry.id: entry for entry in taxonomy.special}

    @cached_property
    def codes(self) -> dict[str, str]:
        """Code -> id."""
        return {node.code: node.id for node in self.taxonomy.nodes if node.code is not None}

    @cached_property
    def values(self) -> dict[str, str]:
        """Raster value of a special, as text -> id."""
        encoding = self.taxonomy.encodings.get("default")
        found: dict[str, str] = {}
        for low, high, owner in encoding.values if encoding is not None else ():
            if owner in self.special and high - low < 256:
                found.update({str(value): owner for value in range(low, high + 1)})
        return found

    def id(self, word: str) -> str | None:
        """The class or special that a word names: an id, else a code, else the raster value of a special."""
        if word in self.taxonomy or word in self.special:
            return word
        return self.codes.get(word) or self.values.get(word)

    def shown(self, id_: str, *, by_code: bool) -> str:
        """What to call a class in a message."""
        code = self.taxonomy[id_].code if id_ in self.taxonomy else None
        return code if by_code and code is not None else id_

    def unknown(self, code: str, word: str, span: Span, findings: Findings) -> None:
        """Report a word that names nothing."""
        way = "" if findings.full(code) else self._near(word, findings)
        message = f"no class `{word}` in `{self.taxonomy.id}`"
        findings.add(code, span, message, label="unknown class", help=way)

    def meant(self, word: str, findings: Findings) -> str | None:
        """The one class that a misspelt id or name is nearest to."""
        found = [] if is_code(word) else findings.suggest(word, self._words, meaning=self._words, limit=1)
        return found[0] if found else None

    def _near(self, word: str, findings: Findings) -> str:
        if not is_code(word):
            near = findings.did_you_mean(word, self._words, meaning=self._words)
            return near or f"`hieratk taxonomy show {self.taxonomy.id}` prints its classes"
        # A wrong code is as near to ten right ones: what is known is where it would stand.
        codes = sorted(self.codes)
        if not codes:
            return f"`{self.taxonomy.id}` has no codes; name the class by its id"
        at = bisect_left(codes, word)
        beside = [f"`{code}`" for code in codes[max(at - 1, 0) : at + 1]]
        above = next((word[:size] for size in range(len(word) - 1, 0, -1) if word[:size] in self.codes), None)
        inside = f"; `{above}` is the class that it would stand under" if above is not None else ""
        return f"the codes next to it are {' and '.join(beside)}{inside}"

    @cached_property
    def _words(self) -> dict[str, str]:
        found = {node.id: node.id for node in self.taxonomy.nodes}
        found.update({id_: id_ for id_ in self.special})
        for node in self.taxonomy.nodes:
            for word in (node.name, *node.synonyms, *node.labels.values()):
                found.setdefault(word, node.id)
        return found


def is_code(word: str) -> bool:
    """Whether a word looks like a code rather than a misspelt id or name."""
    return not _ID.fullmatch(word) and (any(char.isdigit() for char in word) or (word.isascii() and word.isupper()))
