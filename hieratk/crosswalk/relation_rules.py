"""Rules about single relations and pairs of them (X006, X009, X010, X012, X016, X017, X018)."""

from __future__ import annotations

from hieratk.crosswalk.draft import Draft, Line
from hieratk.crosswalk.links import allowed, cover, leaf_sets
from hieratk.crosswalk.values import Link
from hieratk.diagnostics import Edit, Findings, Fix, Span
from hieratk.documents import Scalar
from hieratk.taxonomy.tree import Taxonomy


def check(draft: Draft, source: Taxonomy, target: Taxonomy, findings: Findings) -> None:
    """Apply them."""
    for line in draft.lines:
        _shares(line, findings)
    for line in draft.whole():
        if line.verb in ("covers", "overlaps"):
            _single(line, findings)
        if len(line.targets) > 1:
            _nested(line, target, findings)
        if line.verb == "covers":
            _all_children(line, target, findings)
        if line.verb == "outside" and not allowed(Link("outside", line.entry().targets), target):
            said = f"nothing of `{target.id}` is outside of all these"
            findings.add("X017", line.verb_span(), said, help="leave out the classes that it may be")
    _same(draft, source, target, findings)


def _shares(line: Line, findings: Findings) -> None:
    shares = [target.share for target in line.targets if target.share is not None]
    if shares and abs(sum(shares) - 1) > 1e-6:
        said = f"the shares of `{line.key.text}` add up to {sum(shares):.6g}, not to 1"
        findings.add("X006", line.verb_span(), said)


def _rewritten(line: Line, verb: str, word: str) -> Fix:
    """Another verb with one target in place of what stands there."""
    value = line.details.raw[str(line.verb)]
    # A block list has its items on lines of their own: only what stands on one line is rewritten.
    edits = (Edit(line.verb_span(), verb), Edit(value.span, word))
    return Fix("unsafe", edits)


def _single(line: Line, findings: Findings) -> None:
    if len(line.targets) != 1:
        return
    word = line.targets[0].word
    written = findings.source.text[word.span.start : word.span.end]
    way = f"write within: {written}"
    if line.verb == "covers":
        way += f", or is: {written} where the two are the same"
    fix = _rewritten(line, "within", written) if _in_one_line(line, findings) else None
    findings.add("X018", line.verb_span(), f"`{line.verb}` with one target", help=way, fix=fix)


def _in_one_line(line: Line, findings: Findings) -> bool:
    span = line.details.raw[str(line.verb)].span
    return "\n" not in findings.source.text[line.verb_span().start : span.end]


def _nested(line: Line, target: Taxonomy, findings: Findings) -> None:
    listed = {one.id: one for one in line.targets}
    for one in line.targets:
        above = next((listed[id_] for id_ in target.ancestors(one.id) if id_ in listed), None)
        if above is not None:
            said = f"`{one.word.text}` lies inside `{above.word.text}`, which is listed too"
            related = [(above.word.span, "holds it")]
            findings.add("X016", one.word.span, said, label="listed twice", related=related, help="remove one of them")


def _all_children(line: Line, target: Taxonomy, findings: Findings) -> None:
    entry = line.entry()
    if len(entry.targets) < 2 or entry.shares is not None:
        return
    whole = cover(allowed(Link("covers", entry.targets), target), target)
    if len(whole) != 1 or whole[0] in entry.targets:
        return
    fix = _rewritten(line, "is", whole[0]) if _in_one_line(line, findings) else None
    said = f"the targets of `{line.key.text}` are all that `{whole[0]}` holds"
    findings.add("X012", line.verb_span(), said, help=f"write is: {whole[0]}", fix=fix)


def _same(draft: Draft, source: Taxonomy, target: Taxonomy, findings: Findings) -> None:
    first: dict[str, Line] = {}
    below = leaf_sets(source)
    for line in draft.whole():
        if line.verb != "is" or line.source not in source:
            continue
        one = line.targets[0]
        before = first.setdefault(one.id, line)
        if before is not line and below[before.source] != below[line.source]:
            said = f"`{before.key.text}` and `{line.key.text}` are both `{one.word.text}`"
            related: list[tuple[Span, str]] = [(before.targets[0].word.span, f"`{before.key.text}` is it here")]
            way = "at most one of them can be the same; write `within` for the others"
            findings.add("X009", one.word.span, said, label="again", related=related, help=way)
        if source[line.source].kind == "residual" and target[one.id].kind == "residual":
            _residuals(line, one.word, findings)


def _residuals(line: Line, word: Scalar, findings: Findings) -> None:
    said = f"`{line.key.text}` and `{word.text}` are both what their own siblings are not"
    way = "the same only where the siblings are; else write `outside` or `overlaps`"
    findings.add("X010", word.span, said, label="another rest", help=way)
