"""Did you mean: names close to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

LONGEST = 200
"""Letters of the longest word that draws a suggestion; names are shorter, and damaged files hold words of megabytes."""


def nearest(word: str, candidates: Iterable[str], *, limit: int = 3) -> list[str]:
    """Candidates that the word may stand for, best first, at most `limit`; empty where nothing is close.

    First tier: edit distance with transpositions (optimal string alignment) of at most `max(len(word), 3) // 3`, letter
    case aside. Second tier, only where the first is empty: candidates that contain the word as it stands (from three
    letters on). Not for codes: a wrong code is as close to ten right ones.

    Cost is linear in the candidates; one whose length or letters rule it out costs no alignment.
    """
    wanted = word.lower()
    if len(wanted) > LONGEST:
        return []
    most = max(len(wanted), 3) // 3
    places: dict[str, int] = {}
    for at, letter in enumerate(wanted):
        places[letter] = places.get(letter, 0) | 1 << at
    close: list[tuple[int, int, str]] = []
    holding: list[tuple[int, int, str]] = []
    for order, candidate in enumerate(candidates):
        lowered = candidate.lower()
        if len(wanted) >= 3 and wanted in lowered:
            holding.append((len(lowered), order, candidate))
        # Every distinct letter that is missing on the other side costs an edit of its own.
        if abs(len(lowered) - len(wanted)) > most or len(places.keys() - set(lowered)) > most:
            continue
        distance = _distance(places, len(wanted), lowered, most)
        if distance <= most:
            close.append((distance, order, candidate))
    return [candidate for _, _, candidate in sorted(close or holding)[:limit]]


def _distance(places: Mapping[str, int], size: int, other: str, most: int) -> int:
    """Optimal string alignment distance of a word to another, or more than `most` as soon as it must exceed that.

    A column of the table of distances is two integers, bit i of which says that the entry of letter i is one above or
    one below the entry before it; the next column takes a dozen operations however long the word is (Hyyrö 2003, A
    bit-vector algorithm for computing Levenshtein and Damerau edit distances, figure 9). `places` holds for each letter
    of the word where it stands, as bits; `size` is the length of the word.
    """
    if not size:
        return len(other)
    last, full = 1 << size - 1, (1 << size) - 1
    rises, falls, diagonal, before = full, 0, 0, 0
    distance = size
    for left, letter in zip(range(len(other) - 1, -1, -1), other, strict=True):
        here = places.get(letter, 0)
        swapped = (~diagonal & here) << 1 & before
        diagonal = ((here & rises) + rises ^ rises | here | falls | swapped) & full
        up, down = falls | ~(diagonal | rises) & full, diagonal & rises
        distance += (up & last > 0) - (down & last > 0)
        if distance - left > most:
            return most + 1
        up, down = (up << 1 | 1) & full, down << 1 & full
        rises, falls = down | ~(diagonal | up) & full, diagonal & up
        before = here
    return distance
