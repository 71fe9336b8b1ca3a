"""Did you mean: names close to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str], *, limit: int = 3) -> list[str]:
    """Candidates that the word may stand for, best first, at most `limit`; empty where nothing is close.

    First tier: edit distance with transpositions (optimal string alignment) of at most `max(len(word), 3) // 3`, letter
    case aside. Second tier, only where the first is empty: candidates that contain the word as it stands (from three
    letters on). Not for codes: a wrong code is as close to ten right ones.

    Cost is linear in the candidates; one whose length or letters rule it out costs no alignment.
    """
    wanted = word.lower()
    most = max(len(wanted), 3) // 3
    letters = set(wanted)
    close: list[tuple[int, int, str]] = []
    holding: list[tuple[int, int, str]] = []
    for order, candidate in enumerate(candidates):
        lowered = candidate.lower()
        if len(wanted) >= 3 and wanted in lowered:
            holding.append((len(lowered), order, candidate))
        # Every distinct letter that is missing on the other side costs an edit of its own.
        if abs(len(lowered) - len(wanted)) > most or len(letters.difference(lowered)) > most:
            continue
        distance = _distance(wanted, lowered, most)
        if distance <= most:
            close.append((distance, order, candidate))
    return [candidate for _, _, candidate in sorted(close or holding)[:limit]]


def _distance(a: str, b: str, most: int) -> int:
    """Optimal string alignment distance, or `most + 1` as soon as it must exceed `most`."""
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        if min(row) > most and min(above) > most:
            return most + 1
        before, above = above, row
    return above[-1]
