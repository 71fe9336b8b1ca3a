"""Rules about raster values and encodings (T2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hieratk.diagnostics import Findings, Span
from hieratk.taxonomy.draft import Draft, EncodingDraft, Entry, Pixels
from hieratk.taxonomy.references import References
from hieratk.taxonomy.spec import DTYPE_RANGES

_PREFERRED = ("uint8", "uint16", "int16", "uint32", "int32")
_COMPARED = 16
"""Encodings that are compared with one another: every pair of them, so not any number."""


@dataclass(slots=True)
class Claims:
    """An encoding with every raster value in it and who claims it."""

    name: str
    dtype: str
    source: EncodingDraft | None
    level: int | None = None
    values: list[tuple[Pixels, str]] = field(default_factory=list)

    @property
    def nodata(self) -> int | None:
        """The declared nodata value."""
        value: int | None = self.source.details.get("nodata") if self.source is not None else None
        return value


def check(draft: Draft, findings: Findings, references: References) -> list[Claims]:
    """Apply the family T2; the encodings with their values in ascending order."""
    encodings = _encodings(draft, findings, references)
    roles = {entry.id: entry.details.get("role") for entry in draft.special}
    for claims in encodings:
        claims.values.sort(key=lambda value: value[0][:2])
        _fits(claims, findings)
        _claimed_twice(claims, findings)
        _nodata(claims, roles, findings)
        _zero(claims, roles, findings)
        _level(draft, claims, roles, findings)
    _without_value(draft, encodings, findings)
    _different_meaning(encodings[:_COMPARED], roles, findings)
    return encodings


def _encodings(draft: Draft, findings: Findings, references: References) -> list[Claims]:
    at = {level.text: index for index, level in enumerate(draft.levels)}
    declared = {encoding.name: encoding for encoding in draft.encodings}
    values = [(pixels, entry.id) for entry in draft for pixels in entry.pixels]
    values += [(pixels, special.id) for special in draft.special for pixels in special.pixels]
    found = []
    if values or "default" in declared:
        found.append(Claims("default", "uint8", declared.get("default"), values=values))
    found += [Claims(name, "uint8", encoding) for name, encoding in declared.items() if name != "default"]
    special = {entry.id for entry in draft.special}
    for claims in found:
        if claims.source is None:
            continue
        claims.dtype = claims.source.details.get("dtype") or "uint8"
        for pixels, word in claims.source.values:
            if word.text in draft.at or word.text in special:
                claims.values.append((pixels, word.text))
            elif not references.lost(word.text):
                references.unknown(word.text, word.span, code="T208", where="in the tree")
        named = claims.source.details.get("level")
        if named is None:
            continue
        if named in at:
            claims.level = at[named]
        elif "levels" not in draft.lost:
            way = findings.did_you_mean(named, at) or (
                f"the levels are {', '.join(at)}" if at else "name them: `levels: [...]`"
            )
            findings.add("S006", claims.source.details.span("level"), f"no level `{named}` is declared", help=way)
    return found


def _fits(claims: Claims, findings: Findings) -> None:
    low, high = DTYPE_RANGES[claims.dtype]
    kind = claims.dtype if claims.source is not None else f"{claims.dtype}, the default"
    named = claims.source is not None and "dtype" in claims.source.details.raw
    related = [(claims.source.details.span("dtype"), "declared here")] if named and claims.source else []
    wanted = [pixels for pixels, _ in claims.values]
    smallest, largest = min((p.low for p in wanted), default=0), max((p.high for p in wanted), default=0)
    wider = next((word for word in _PREFERRED if _holds(word, smallest, largest)), "")
    way = f"declare it: encodings: {{{claims.name}: {{dtype: {wider}}}}}" if wider else "no dtype holds all values"
    for pixels in wanted:
        if pixels.low < low or pixels.high > high:
            value = pixels.high if pixels.high > high else pixels.low
            findings.add("T202", pixels.span, f"pixel value {value} does not fit {kind}", related=related, help=way)
    nodata = claims.nodata
    if nodata is not None and not low <= nodata <= high and claims.source is not None:
        findings.add("T202", claims.source.details.span("nodata"), f"nodata value {nodata} does not fit {kind}")


def _holds(dtype: str, low: int, high: int) -> bool:
    return DTYPE_RANGES[dtype][0] <= low and high <= DTYPE_RANGES[dtype][1]


def _claimed_twice(claims: Claims, findings: Findings) -> None:
    before: tuple[Pixels, str] | None = None
    for pixels, owner in claims.values:
        if before is not None and pixels.low <= before[0].high:
            # The later one in the text is at fault, whatever its value.
            first, second = sorted([before, (pixels, owner)], key=lambda claim: claim[0].span.start)
            low = max(before[0].low, pixels.low)
            high = min(before[0].high, pixels.high)
            shown = f"value {low} is" if low == high else f"values {low}..{high} are"
            whom = f"`{first[1]}` and `{second[1]}`" if first[1] != second[1] else f"`{first[1]}` twice"
            findings.add(
                "T201",
                second[0].span,
                f"pixel {shown} claimed by {whom}",
                label="claimed again here",
                related=[(first[0].span, f"`{first[1]}` claims it here")],
            )
        if before is None or pixels.high > before[0].high:
            before = pixels, owner


def _owner(claims: Claims, value: int) -> tuple[Pixels, str] | None:
    return next((claim for claim in claims.values if claim[0].low <= value <= claim[0].high), None)


def _nodata(claims: Claims, roles: dict[str, str | None], findings: Findings) -> None:
    value = claims.nodata
    claim = _owner(claims, value) if value is not None else None
    if claim is None or roles.get(claim[1]) == "nodata" or claims.source is None:
        return
    findings.add(
        "T204",
        claims.source.details.span("nodata"),
        f"nodata value {value} is mapped to `{claim[1]}`",
        related=[(claim[0].span, "mapped here")],
        help="take another nodata value, or give the class another pixel value",
    )


def _zero(claims: Claims, roles: dict[str, str | None], findings: Findings) -> None:
    claim = _owner(claims, 0)
    if (
        claim is None
        or claim[1] in roles
        or claims.nodata is not None
        or "nodata" in {roles.get(o) for _, o in claims.values}
    ):
        return
    findings.add(
        "T210",
        claim[0].span,
        f"0 is the class `{claim[1]}` and no nodata value is declared: zero-filled borders would count as it",
        help=f"declare one: encodings: {{{claims.name}: {{dtype: {claims.dtype}, nodata: 255}}}}",
    )


def _level(draft: Draft, claims: Claims, roles: dict[str, str | None], findings: Findings) -> None:
    if claims.level is None or claims.source is None:
        return
    if claims.name == "default":
        places = [(pixels.span, owner) for pixels, owner in claims.values]
    else:
        places = [(word.span, word.text) for _, word in claims.source.values]
    for span, owner in places:
        entry = draft.entry(owner)
        if owner in roles or entry is None or _stands_on(draft, entry, claims.level):
            continue
        name = draft.levels[entry.level].text if entry.level < len(draft.levels) else f"{entry.level + 1}"
        findings.add(
            "T209",
            span,
            f"`{owner}` is on level `{name}`, but `{claims.name}` shows level `{draft.levels[claims.level].text}`",
            related=[(claims.source.details.span("level"), "declared here")],
        )


def _stands_on(draft: Draft, entry: Entry, level: int) -> bool:
    """Whether a class is part of a level: its own, or as a stand-in for a leaf above or a class that skips it."""
    if entry.level == level or (not entry.children and entry.level < level):
        return True
    parent = draft.parent(entry)
    return entry.level > level and (parent.level if parent is not None else -1) < level


def _without_value(draft: Draft, encodings: list[Claims], findings: Findings) -> None:
    valued = {owner for claims in encodings for _, owner in claims.values}
    if not valued:
        return
    for entry in draft:
        if entry.pixels and entry.children:
            findings.add(
                "T206",
                entry.pixels[0].span,
                f"`{entry.id}` has children and a pixel value: some pixels are labelled only this far",
            )
        live = entry.get("deprecated") is None and not entry.unreadable
        if not entry.children and entry.id not in valued and live:
            findings.add("T205", entry.key.span, f"`{entry.id}` has no pixel value, though other classes have one")
    for special in draft.special:
        if special.id not in valued and "pixel" not in special.details.raw:
            findings.add("T207", special.key.span, f"special value `{special.id}` has no pixel value")


def _different_meaning(encodings: list[Claims], roles: dict[str, str | None], findings: Findings) -> None:
    """One finding a pair of encodings: where one value differs, most do."""
    for position, claims in enumerate(encodings):
        for other in encodings[:position]:
            first = _first_difference(claims, other, roles)
            if first is None:
                continue
            value, mine, theirs, span, there = first
            findings.add(
                "T211",
                span,
                f"value {value} means `{theirs}` in `{other.name}` and `{mine}` in `{claims.name}`",
                related=[(there, f"`{theirs}` in `{other.name}`")],
            )


def _first_difference(
    claims: Claims, other: Claims, roles: dict[str, str | None]
) -> tuple[int, str, str, Span, Span] | None:
    i = j = 0
    while i < len(claims.values) and j < len(other.values):
        (mine, owner), (theirs, their_owner) = claims.values[i], other.values[j]
        if mine.high < theirs.low:
            i += 1
        elif theirs.high < mine.low:
            j += 1
        elif owner != their_owner and owner not in roles and their_owner not in roles:
            return max(mine.low, theirs.low), owner, their_owner, mine.span, theirs.span
        elif mine.high < theirs.high:
            i += 1
        else:
            j += 1
    return None
