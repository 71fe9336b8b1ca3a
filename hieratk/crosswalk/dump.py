"""A crosswalk to its document."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hieratk.crosswalk.values import Crosswalk, Entry
from hieratk.diagnostics import Source
from hieratk.errors import CrosswalkError
from hieratk.taxonomy.formatting import COLUMNS, columns, format_text, quoted, scalar

_ONE = ("is", "within", "none")
_QUOTED = ("url", "version", "date", "checked")


def dump(
    crosswalk: Crosswalk,
    *,
    header: Sequence[str] = (),
    before: Mapping[str, Sequence[str]] | None = None,
    after: Sequence[str] = (),
    open_: Sequence[Entry] = (),
) -> str:
    """The document that reads as this crosswalk: `read(dump(c)) == c` for every crosswalk that a reader can make.

    Args:
        header: comments above the document, one a line.
        before: comments above the line of a class, by the id of the class.
        after: comments below the last line.
        open_: lines that are written as comments, after the others: somebody has to look at them.

    Raises CrosswalkError for what the notation cannot say: no lines, shares that do not fit their targets.
    """
    if not crosswalk.entries and not open_:
        raise CrosswalkError(f"crosswalk `{crosswalk.id}` has no lines; a document needs one at least")
    lines = [f"# {line}".rstrip() for line in header] + _head(crosswalk)
    lines += ["map:"]
    for entry in crosswalk.entries:
        lines += [f"  # {remark}" for remark in (before or {}).get(entry.source, ())]
        line = f"  {scalar(entry.source, flow=False)}: {_flow(_content(entry))}"
        fits = columns(line) <= COLUMNS
        lines += [line] if fits else [f"  {scalar(entry.source, flow=False)}:", *_block(_content(entry), 4)]
    for entry in open_:
        lines.append(f"  # {scalar(entry.source, flow=False)}: {_flow(_content(entry))}")
    lines += [f"  # {line}" for line in after]
    if crosswalk.meta:
        lines += ["meta:", *_block(crosswalk.meta, 2)]
    text = "\n".join(lines) + "\n"
    # What is said is decided here, how it stands on lines by the layout that all documents share.
    return format_text(Source(f"{crosswalk.id}.yaml", text)).text or text


def _head(crosswalk: Crosswalk) -> list[str]:
    lines = ["hieratk: crosswalk/1", f"id: {crosswalk.id}", f"version: {crosswalk.version}"]
    for key, text in (
        ("title", crosswalk.title),
        ("description", crosswalk.description),
        ("license", crosswalk.license),
    ):
        if text:
            lines += _text(key, text, 0)
    if crosswalk.source:
        lines.append("source:")
        for one in crosswalk.source:
            items = [
                line
                for key, text in one.items()
                for line in ([f"    {key}: {quoted(text)}"] if key in _QUOTED else _text(key, text, 4))
            ]
            lines += [f"  - {items[0].lstrip()}", *items[1:]]
    for side, name, bounds in (
        ("from", crosswalk.from_id, crosswalk.from_version),
        ("to", crosswalk.to_id, crosswalk.to_version),
    ):
        lines.append(f"{side}: {{taxonomy: {scalar(name, flow=True)}, version: {quoted(bounds)}}}")
    return [*lines, f"unmapped: {crosswalk.unmapped}"]


def _content(entry: Entry) -> dict[str, Any]:
    """Keys and values of one line, in the order of the notation."""
    if entry.shares is not None:
        if len(entry.shares) != len(entry.targets):
            raise CrosswalkError(
                f"`{entry.source}` has {len(entry.shares)} shares for {len(entry.targets)} targets; give each one"
            )
        what: Any = dict(zip(entry.targets, entry.shares, strict=True))
    else:
        what = entry.targets[0] if entry.verb in _ONE else list(entry.targets)
    rest = {"confidence": entry.confidence, "note": entry.note, "source": entry.source_text}
    return {entry.verb: what, **{key: value for key, value in rest.items() if value is not None}}


def _flow(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            # The notation knows no exponents.
            return format(Decimal(repr(value)), "f")
        case Mapping():
            return "{" + ", ".join(f"{scalar(str(key), flow=True)}: {_flow(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_flow(item) for item in value) + "]"
        case None:
            return '""'
        case _:
            return scalar(str(value), flow=True)


def _block(content: Mapping[str, Any], indent: int) -> list[str]:
    lines: list[str] = []
    for key, value in content.items():
        start = " " * indent + scalar(str(key), flow=False) + ":"
        line = f"{start} {_flow(value)}"
        if isinstance(value, str):
            lines += _text(key, value, indent)
        elif columns(line) <= COLUMNS or not value:
            lines.append(line)
        elif isinstance(value, Mapping):
            lines += [start, *_block(value, indent + 2)]
        else:
            lines += [start, *(f"{' ' * indent}  - {_flow(item)}" for item in value)]
    return lines


def _text(key: str, text: str, indent: int) -> list[str]:
    """A text on its line, or folded where it is too long and folding keeps it."""
    start = " " * indent + scalar(key, flow=False) + ":"
    line = f"{start} {scalar(text, flow=False)}"
    plain = text.isprintable() and text == " ".join(text.split())
    if columns(line) <= COLUMNS or not plain:
        return [line]
    width = COLUMNS - indent - 2
    folded = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [f"{start} >-", *(" " * (indent + 2) + part for part in folded)]
