"""Rules about colours (T3)."""

from __future__ import annotations

import math
from collections import defaultdict

from hieratk.diagnostics import Findings
from hieratk.taxonomy.draft import Draft, Entry

_CLOSEST = 2.5
_MOST_SIBLINGS = 200


def check(draft: Draft, findings: Findings) -> None:
    """Apply the family T3."""
    colored = [entry for entry in draft if entry.get("color") is not None]
    if not colored:
        return
    _missing(draft, findings)
    _siblings(colored, findings)
    _leaves(colored, findings)
    special: dict[str, str] = {}
    for value in draft.special:
        if value.details.get("color"):
            special.setdefault(value.details.get("color"), value.id)
    for entry in colored:
        assert entry.details is not None
        color, span = entry.get("color"), entry.details.span("color")
        parent = draft.parent(entry)
        if parent is not None and parent.get("color") == color and parent.details is not None:
            related = [(parent.details.span("color"), f"`{parent.id}`")]
            findings.add("T303", span, f"`{entry.id}` has the colour of its parent `{parent.id}`", related=related)
        if color in special:
            findings.add("T305", span, f"`{entry.id}` has the colour of the special value `{special[color]}`")
        if color in ("#000000", "#ffffff"):
            word = "black" if color == "#000000" else "white"
            findings.add("T308", span, f"`{entry.id}` is pure {word}, which is often taken for no data")


def _missing(draft: Draft, findings: Findings) -> None:
    for entry in draft:
        predicted = entry.kind in ("class", "residual") and entry.get("deprecated") is None
        if predicted and entry.get("color") is None and not (entry.details and "color" in entry.details.raw):
            findings.add("T306", entry.key.span, f"`{entry.id}` has no colour, though others have one")


def _siblings(colored: list[Entry], findings: Findings) -> None:
    families: dict[int, list[Entry]] = defaultdict(list)
    for entry in colored:
        families[entry.parent].append(entry)
    for family in families.values():
        first: dict[str, Entry] = {}
        for entry in family:
            other = first.setdefault(entry.get("color"), entry)
            if other is not entry:
                _same(other, entry, "T301", "the same colour", findings)
        if len(first) <= _MOST_SIBLINGS:
            _close(first, findings)


def _close(first: dict[str, Entry], findings: Findings) -> None:
    """Sorted by lightness, since CIEDE2000 is at least |dL| / 1.75 (its weight of lightness is never greater)."""
    order = {color: position for position, color in enumerate(first)}
    colors = sorted((_lab(color), color) for color in first)
    for position, (lab, color) in enumerate(colors):
        for other_lab, other in colors[position + 1 :]:
            if other_lab[0] - lab[0] > 1.75 * _CLOSEST or findings.full("T304"):
                break
            apart = ciede2000(lab, other_lab)
            if apart < _CLOSEST:
                earlier, later = sorted((color, other), key=order.__getitem__)
                what = f"almost the same colour (CIEDE2000 {apart:.1f})"
                _same(first[earlier], first[later], "T304", what, findings)


def _leaves(colored: list[Entry], findings: Findings) -> None:
    first: dict[str, Entry] = {}
    for entry in colored:
        if entry.children:
            continue
        other = first.setdefault(entry.get("color"), entry)
        if other is not entry and other.parent != entry.parent:
            _same(other, entry, "T302", "the same colour", findings)


def _same(first: Entry, second: Entry, code: str, what: str, findings: Findings) -> None:
    assert first.details is not None
    assert second.details is not None
    findings.add(
        code,
        second.details.span("color"),
        f"`{first.id}` and `{second.id}` have {what}",
        related=[(first.details.span("color"), f"`{first.id}`")],
    )


def _channels(color: str) -> tuple[int, int, int]:
    value = int(color[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255


def _lab(color: str) -> tuple[float, float, float]:
    """CIE L*a*b* of an sRGB colour under D65 (IEC 61966-2-1, CIE 15)."""
    r, g, b = (
        (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in (v / 255 for v in _channels(color))
    )
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (c ** (1 / 3) if c > 216 / 24389 else (24389 / 27 * c + 16) / 116 for c in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(first: str, second: str) -> float:
    """CIEDE2000 difference of two colours `#rrggbb` (Sharma, Wu and Dalal 2005, equations 2 to 22)."""
    return ciede2000(_lab(first), _lab(second))


def ciede2000(first: tuple[float, float, float], second: tuple[float, float, float]) -> float:
    """CIEDE2000 difference of two L*a*b* triples."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - math.sqrt(mean7 / (mean7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn = 0.0
    if c1 and c2:
        turn = (h2 - h1 + 180) % 360 - 180 if abs(abs(h2 - h1) - 180) > 1e-12 else h2 - h1
    dl, dc, dh = l2 - l1, c2 - c1, 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    if not (c1 and c2):
        h = h1 + h2
    elif abs(h1 - h2) <= 180:
        h = (h1 + h2) / 2
    else:
        h = (h1 + h2 + (360 if h1 + h2 < 360 else -360)) / 2
    t = 1 - 0.17 * _cosine(h - 30) + 0.24 * _cosine(2 * h) + 0.32 * _cosine(3 * h + 6) - 0.20 * _cosine(4 * h - 63)
    sl = 1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    rc = 2 * math.sqrt(c**7 / (c**7 + 25**7))
    rt = -math.sin(math.radians(60 * math.exp(-(((h - 275) / 25) ** 2)))) * rc
    return math.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * (dc / sc) * (dh / sh))


def _cosine(degrees: float) -> float:
    return math.cos(math.radians(degrees))
