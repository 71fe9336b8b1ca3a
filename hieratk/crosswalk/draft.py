"""What the shape rules leave of a crosswalk for the rules about meaning: typed values that still know their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hieratk.crosswalk.values import Entry, Verb
from hieratk.diagnostics import Span
from hieratk.documents import Scalar
from hieratk.taxonomy.draft import Details


@dataclass(slots=True)
class Target:
    """A class or special of the target as written, with its id once it is found."""

    word: Scalar
    share: float | None = None
    id: str = ""


@dataclass(slots=True)
class Line:
    """One line of `map`. `source` is the id of the class once it is found; `verb` is empty where the line has not
    exactly one.
    """

    key: Scalar
    details: Details
    verb: Verb | None = None
    targets: list[Target] = field(default_factory=list)
    source: str = ""
    end: int = 0

    @property
    def whole(self) -> bool:
        """Whether everything it names was found."""
        return bool(self.source and self.verb and self.targets and all(target.id for target in self.targets))

    def verb_span(self) -> Span:
        """Where the verb stands."""
        return self.details.keys[self.verb].span if self.verb in self.details.keys else self.key.span

    def entry(self) -> Entry:
        """The line as a value; only for a whole one."""
        assert self.verb is not None
        shares = [target.share for target in self.targets]
        known = [share for share in shares if share is not None]
        get = self.details.get
        return Entry(
            self.source,
            self.verb,
            tuple(target.id for target in self.targets),
            tuple(known) if known and len(known) == len(shares) else None,
            get("confidence"),
            get("note"),
            get("source"),
        )


@dataclass(slots=True)
class Draft:
    """A crosswalk as written."""

    head: Details
    lines: list[Line] = field(default_factory=list)
    unreadable: bool = False
    """Whether lines stood there that could not be read, so that nothing can be said about what is missing."""

    def whole(self) -> Iterator[Line]:
        """The lines of which everything was found."""
        return (line for line in self.lines if line.whole)

    def map_span(self) -> Span:
        """Where the key `map` stands."""
        key = self.head.keys.get("map")
        return key.span if key is not None else self.head.key.span
