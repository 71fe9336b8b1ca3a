"""What is said about a value that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping as Map

from hieratk.diagnostics import Edit, Findings, Fix, Severity, Span
from hieratk.documents import Mapping, Scalar, Sequence, Value, quote
from hieratk.taxonomy.spec import Key

_SHAPES = {Scalar: "text", Sequence: "a list", Mapping: "a mapping"}


class Complaints:
    """Words for the faults of single values, in one place so that they sound alike."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.report = findings.add

    def wrong_shape(self, value: Value, key: Scalar, wanted: str, way: str = "") -> None:
        if isinstance(value, Scalar) and value.empty:
            self.report("S008", key.span, f"key `{key.text}` has no value", help="write a value, or remove the key")
            return
        span = value.span if isinstance(value, Scalar) else key.span
        if not way and isinstance(value, Scalar) and wanted.startswith("a mapping") and ":" in value.text:
            way = "write a blank after each colon"
        self.report("S004", span, f"`{key.text}` takes {wanted}, not {_SHAPES[type(value)]}", help=way)

    def malformed(self, value: Value, what: str, wanted: str, way: str) -> None:
        self.report("S007", value.span, f"{what} is not {wanted}", help=way)

    def quotes(self, code: str, value: Scalar, seen: str) -> None:
        words = quote(value.text)
        self.report(
            code,
            value.span,
            f"unquoted `{value.text}` is not text to every YAML reader",
            label=seen,
            help=f"quote it: {words}",
            fix=Fix("safe", (Edit(value.span, words),)),
        )

    def blanks(self, value: Value, text: str, what: str, severity: Severity) -> None:
        sides = [side for side, there in (("leading", text[:1].isspace()), ("trailing", text[-1:].isspace())) if there]
        words = quote(text.strip())
        self.report(
            "Y016",
            value.span,
            f"{what} begins or ends with a blank",
            label=f"{' and '.join(sides)} blank",
            help=f"write {words}",
            fix=Fix("safe", (Edit(value.span, words),)),
            severity=severity,
        )

    def unknown_key(self, name: Scalar, table: Map[str, Key]) -> str:
        """Report it; the key that may have been meant, or an empty text."""
        meant = self.findings.suggest(name.text, table, limit=1)
        self.report(
            "S003",
            name.span,
            f"unknown key `{name.text}`",
            help=f"did you mean `{meant[0]}`?"
            if meant
            else ("content of your own goes under `meta`" if "meta" in table else f"the keys are {', '.join(table)}"),
            fix=Fix("unsafe", (Edit(name.span, meant[0]),)) if meant else None,
        )
        return meant[0] if meant else ""

    @staticmethod
    def is_tail(owner: Mapping, previous: tuple[Scalar, Value] | None, item: Value) -> bool:
        if not (owner.flow and isinstance(item, Scalar) and item.empty and previous is not None):
            return False
        before = previous[1]
        return isinstance(before, Scalar) and not before.quoted and not before.empty

    def comma(self, previous: tuple[Scalar, Value], tails: list[Scalar]) -> None:
        key, value = previous
        assert isinstance(value, Scalar)
        span = Span(value.span.start, tails[-1].span.end)
        whole = quote(self.findings.source.text[span.start : span.end])
        words = " and ".join(f"`{tail.text}`" for tail in tails)
        self.report(
            "Y014",
            span,
            f"a comma ends unquoted text inside {{ }}; {words} {'has' if len(tails) == 1 else 'have'} become a key",
            label=f'`{key.text}` is only "{value.text}"',
            help=f"quote it: {whole}",
            fix=Fix("safe", (Edit(span, whole),)),
        )
