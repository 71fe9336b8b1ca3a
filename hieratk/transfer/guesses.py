"""What codes, names, synonyms and translations suggest about two trees that nobody has put side by side.

A shared name says that two leaves are the same class. Of two classes with classes below them it says only that they
overlap: what they have in common follows from what is matched below them. "Vegetation" holds the forest in one tree and
leaves it to "Other" in the next. A residual class is what its own tree leaves over, and is never matched by its name.
(All chosen.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping

from hieratk.taxonomy.tree import Node, Taxonomy
from hieratk.transfer.leaves import LeafSets
from hieratk.transfer.meeting import Meeting, Partner
from hieratk.transfer.plan import PlanWarning, Reason

_Keys = Callable[[Node], Iterable[tuple[str, str]]]


def meeting_of_names(source: Taxonomy, target: Taxonomy) -> Meeting:
    """What codes (of one coding scheme only), names, synonyms and translations suggest, in that order."""
    meeting = Meeting.of(source, target)
    matches = _matches(meeting)
    _keep_the_upper_of_namesakes(matches, meeting.target)
    for target_id, partner in matches.items():
        meeting.partners[target_id] = [partner]
    _join(meeting, {target_id: partner.source for target_id, partner in matches.items()})
    return meeting


def normal(text: str) -> str:
    """A name without case, accents, punctuation and plurals: `Developed, open spaces` -> `developed open space`."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(_singular(word) for word in re.findall(r"\w+", bare))


def same_scheme(source: Taxonomy, target: Taxonomy) -> bool:
    """Whether the codes of two trees are of one coding scheme: the same pattern, and where codes agree, so do names.

    A code alone is no evidence: 31 is barren land in one legend and a kind of forest in the next.
    """
    pattern = source.codes.get("pattern")
    if not pattern or pattern != target.codes.get("pattern"):
        return False
    names = {node.code: normal(node.name) for node in source.predicted if node.code}
    alike = [names[node.code] == normal(node.name) for node in target.predicted if node.code and node.code in names]
    return bool(alike) and 2 * sum(alike) >= len(alike)


def _singular(word: str) -> str:
    if len(word) <= 3 or not word.isascii():
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("oes"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _matches(meeting: Meeting) -> dict[str, Partner]:
    """Target class -> its partner, by the first kind of evidence that names exactly one."""
    source, target = meeting.source.taxonomy, meeting.target.taxonomy
    kinds = list(_kinds(source, target))
    found: dict[str, Partner] = {}
    for node in target.predicted:
        for reason, say, matching in kinds:
            candidates = [id_ for id_ in matching(node) if _comparable(source[id_], node, reason)]
            if not candidates:
                continue
            chosen = _choose(candidates, node, meeting, found)
            if chosen is None:
                listed = ", ".join(f"`{id_}`" for id_ in candidates)
                meeting.warnings.append(
                    PlanWarning("ambiguous", node.id, f"`{node.id}` could be any of {listed}; none was taken")
                )
            else:
                found[node.id] = Partner(chosen, reason, say(source[chosen], node))
            break
    return found


def _comparable(ours: Node, theirs: Node, reason: Reason) -> bool:
    return reason in ("id", "code") or (ours.kind == "class" and theirs.kind == "class")


def _kinds(source: Taxonomy, target: Taxonomy) -> Iterator[tuple[Reason, Callable[[Node, Node], str], _Matching]]:
    """Kinds of evidence, strongest first: its name, the sentence it makes, and how to find candidates."""
    if source.id == target.id:
        yield "id", lambda ours, _: f"both are versions of {source.id}: id {ours.id}", _Matching(source, _ids, _ids)
    if same_scheme(source, target):
        yield "code", lambda ours, _: f"same code {ours.code}", _Matching(source, _codes, _codes)
    yield "name", lambda ours, theirs: f"same name: {_pair(ours, theirs)}", _Matching(source, _names, _names)
    yield (
        "synonym",
        lambda ours, theirs: f"synonym: {_pair(ours, theirs)}",
        _Matching(source, _names_and_synonyms, _names_and_synonyms),
    )
    yield (
        "translation",
        lambda ours, theirs: f"translation: {_pair(ours, theirs)}",
        _Matching(source, _translations(source.lang), _translations(target.lang)),
    )


class _Matching:
    """Source classes by key, and the keys of a target class."""

    def __init__(self, source: Taxonomy, ours: _Keys, theirs: _Keys) -> None:
        self._keys = theirs
        self._index: dict[tuple[str, str], list[str]] = {}
        for node in source.predicted:
            for key in dict.fromkeys(ours(node)):
                self._index.setdefault(key, []).append(node.id)

    def __call__(self, node: Node) -> list[str]:
        return list(dict.fromkeys(id_ for key in self._keys(node) for id_ in self._index.get(key, ())))


def _ids(node: Node) -> Iterator[tuple[str, str]]:
    yield "", node.id


def _codes(node: Node) -> Iterator[tuple[str, str]]:
    if node.code:
        yield "", node.code


def _names(node: Node) -> Iterator[tuple[str, str]]:
    if node.name:
        yield "", normal(node.name)


def _names_and_synonyms(node: Node) -> Iterator[tuple[str, str]]:
    yield from _names(node)
    for synonym in node.synonyms:
        yield "", normal(synonym)


def _translations(lang: str) -> _Keys:
    def keys(node: Node) -> Iterator[tuple[str, str]]:
        yield lang, normal(node.name)
        for language, text in node.labels.items():
            yield language, normal(text)

    return keys


def _pair(ours: Node, theirs: Node) -> str:
    first, second = ours.name or ours.id, theirs.name or theirs.id
    return f"`{first}`" if first == second else f"`{first}` and `{second}`"


def _choose(candidates: list[str], node: Node, meeting: Meeting, found: Mapping[str, Partner]) -> str | None:
    """One of several namesakes: where the class above points to, then the upper of one path, then the nearest level."""
    source = meeting.source
    if len(candidates) > 1:
        above = next((found[id_].source for id_ in meeting.target.taxonomy.ancestors(node.id) if id_ in found), None)
        if above is not None:
            near = [id_ for id_ in candidates if not source.below[id_] & ~source.below[above]]
            candidates = near or candidates
    highest = min(candidates, key=lambda id_: source.taxonomy[id_].level)
    if any(source.below[id_] & ~source.below[highest] for id_ in candidates):
        return None
    same = [id_ for id_ in candidates if source.below[id_] == source.below[highest]]
    return min(same, key=lambda id_: abs(source.taxonomy[id_].level - node.level))


def _keep_the_upper_of_namesakes(matches: dict[str, Partner], target: LeafSets) -> None:
    """Below a class that is matched, another one with less content cannot be the same source class as well."""
    for node in target.taxonomy.predicted:
        if node.id not in matches:
            continue
        for above in target.taxonomy.ancestors(node.id):
            twin = above in matches and matches[above].source == matches[node.id].source
            if twin and target.below[above] != target.below[node.id]:
                del matches[node.id]
                break


def _join(meeting: Meeting, matched: Mapping[str, str]) -> None:
    """Leaves meet below the deepest pair that holds both; what finds no place there lies outside the other tree."""
    source, target = meeting.source, meeting.target
    open_target = _open(target, matched)
    open_source = _open(source, set(matched.values()))
    ours_by_set: dict[int, int] = {}
    for source_id, leaves in open_source.items():
        # Links of a chain hold the same leaves, and are the same class here.
        ours_by_set[source.below[source_id]] = ours_by_set.get(source.below[source_id], 0) | leaves
    pairs: dict[tuple[int, int], int] = {}
    for target_id, source_id in matched.items():
        pair = target.below[target_id], source.below[source_id]
        pairs[pair] = pairs.get(pair, 0) | open_target.get(target_id, 0)
    for (theirs_below, ours_below), theirs in pairs.items():
        ours = ours_by_set.get(ours_below, 0)
        meeting.join(ours, theirs)
        if theirs_below.bit_count() > 1 and ours_below.bit_count() > 1:
            meeting.loose_source |= ours
            if not ours:
                meeting.loose_target |= theirs
    for position, row in enumerate(meeting.rows):
        meeting.loose_source |= (not row) << position
    for position, column in enumerate(meeting.columns):
        meeting.loose_target |= (not column) << position


def _open(tree: LeafSets, matched: Iterable[str]) -> dict[str, int]:
    """Matched class -> the leaves whose deepest matched class it is."""
    wanted = set(matched)
    found: dict[str, int] = {}
    for leaf in tree.taxonomy.leaves:
        owner = next((id_ for id_ in reversed(tree.taxonomy.path(leaf)) if id_ in wanted), None)
        if owner is not None:
            found[owner] = found.get(owner, 0) | tree.bit[leaf]
    return found
