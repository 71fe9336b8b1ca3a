"""What a document is made of: text, lists and mappings, each with its place. Nothing is typed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from hieratk.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Scalar:
    """A piece of text as the author wrote it; `quoted` also for block text (`|`, `>`), `span` with the quotes."""

    text: str
    span: Span
    quoted: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing was written: a key without a value, not a pair of quotes."""
        return not self.text and not self.quoted


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list; `flow` where it is written in brackets."""

    items: tuple[Value, ...]
    span: Span
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order written, each key once.

    `lost` names keys whose entry was unusable and has been reported: rules must not report them as missing again.
    """

    entries: tuple[tuple[Scalar, Value], ...]
    span: Span
    flow: bool = False
    lost: tuple[str, ...] = ()

    def get(self, key: str) -> Value | None:
        """The value of a key, or None."""
        return next((value for name, value in self.entries if name.text == key), None)


Value: TypeAlias = Scalar | Sequence | Mapping


def plain(value: Value) -> Any:
    """The value without places: dict, list or str, a key without a value is None. Scalars stay text."""
    if isinstance(value, Scalar):
        return None if value.empty else value.text
    if isinstance(value, Sequence):
        return [plain(item) for item in value.items]
    return {key.text: plain(item) for key, item in value.entries}


def locate(value: Value, path: tuple[str | int, ...], *, key: bool = False) -> Span:
    """The place of what a path of keys and list positions leads to (as in a pydantic error's `loc`).

    Where a part of the path is missing, the place of its nearest ancestor: the key under which that ancestor stands,
    since a whole mapping underlined says nothing. With `key`, the place of the last key itself instead of its value.
    """
    name = value.entries[0][0].span if isinstance(value, Mapping) and value.entries else value.span
    found = not path
    for part in path:
        step: tuple[Span, Value] | None = None
        if isinstance(value, Mapping):
            step = next(((word.span, item) for word, item in value.entries if word.text == str(part)), None)
        elif isinstance(value, Sequence) and isinstance(part, int) and 0 <= part < len(value.items):
            step = value.items[part].span, value.items[part]
        # pydantic names the branch of a union inside the path; such a part is no key, and the walk goes on without it.
        found = step is not None
        if step is not None:
            name, value = step
    if not found or key or (isinstance(value, Scalar) and value.empty):
        return name
    return value.span
