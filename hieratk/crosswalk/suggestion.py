"""Candidates for a crosswalk between two trees, each with a confidence and its reasons. A person has to look at them.

How sure a candidate is (chosen; the numbers are orders of trust, not measured frequencies): a shared name, or a code
of a scheme that the two trees share, 0.9, a synonym or translation 0.8, the words of a name in another order or number
0.75, one or two letters of difference 0.6, the words of one name among those of the other 0.5, an equal colour 0.15.
Reasons add up as independent evidence does, 1 - product of (1 - c). Parents that agree add 0.3 of what is missing to 1,
parents that point elsewhere take away a fifth.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hieratk.crosswalk.dump import dump
from hieratk.crosswalk.links import allowed, contradicts, counterpart, holders
from hieratk.crosswalk.values import Crosswalk, Entry, Link, Verb
from hieratk.diagnostics import nearest
from hieratk.taxonomy.tree import Node, Taxonomy

ACCEPTED = 0.75
"""From this confidence on a candidate becomes a line; below it is a comment."""

_LEAST = 0.1
_WEAK = 0.3
_SHOWN = 3
_STOP = frozenset(
    ("and", "or", "of", "the", "with", "in", "to", "a", "et", "de", "other", "class", "land", "area", "areas")
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class of the second tree that a class of the first one may be. `reasons` say why, the strongest first."""

    source: str
    target: str
    verb: Verb
    confidence: float
    reasons: tuple[str, ...]

    def entry(self) -> Entry:
        """The line that says it."""
        return Entry(self.source, self.verb, (self.target,), None, self.confidence, "; ".join(self.reasons))


def candidates(a: Taxonomy, b: Taxonomy) -> dict[str, tuple[Candidate, ...]]:
    """For each class of the first tree the classes of the second one that it may be, the surest first.

    Reasons are the code (where the two trees share a scheme), name, synonyms, translations, colour, and whether the
    classes above agree. Deprecated, unspecified and mixed classes of the second tree are never proposed. Cost is that
    of an index over the words; only names without any other reason are compared letter by letter.
    """
    index = _Index(b)
    trust = _shared_scheme(a, b)
    found: dict[str, tuple[Candidate, ...]] = {}
    for node in a.nodes:
        reasons: dict[str, list[tuple[float, Verb, str]]] = {}
        for id_, reason in index.evidence(node, trust):
            reasons.setdefault(id_, []).append(reason)
        best = found.get(node.parent, ()) if node.parent is not None else ()
        above = best[0].target if best else None
        weighed = [_weighed(node, b[id_], every, above, b) for id_, every in reasons.items()]
        order = sorted(weighed, key=lambda one: -one.confidence)
        found[node.id] = tuple(one for one in order if one.confidence >= _LEAST)
    return found


def suggest(a: Taxonomy, b: Taxonomy, *, accept: float = ACCEPTED) -> Crosswalk:
    """A draft from the first tree to the second one: the surest candidate of each class, from a confidence on.

    What would contradict the line of a class above is left out. At most one class is said to be the same as
    another, the surest; the others lie within it. Nothing of this is certain: every line has its `confidence` and its
    reasons as `note`. `unmapped` is `ignore` where a class is left without a line.
    """
    return _draft(a, b, candidates(a, b), accept)


def document(a: Taxonomy, b: Taxonomy, *, draft: Crosswalk | None = None) -> str:
    """A draft as a document to be looked at: less sure candidates are comments, and so are classes without any.

    `draft` is what `suggest` made for the same two trees.
    """
    found = candidates(a, b)
    draft = _draft(a, b, found, ACCEPTED) if draft is None else draft
    taken = {(entry.source, entry.targets[0]) for entry in draft.entries}
    open_ = [one.entry() for every in found.values() for one in every[:_SHOWN] if (one.source, one.target) not in taken]
    covered = {entry.source for entry in draft.entries}
    lost = [
        node.id
        for node in a.nodes
        if not found[node.id] and not any(above in covered for above in (node.id, *a.ancestors(node.id)))
    ]
    header = (
        f"A draft from {a.id} {a.version} to {b.id} {b.version}: codes, names, synonyms, translations, colours and the",
        "place in the tree were compared, and nobody has looked at it yet. Confirm or correct every line, uncomment",
        "what holds below, take the confidence away from what is certain, set `unmapped: error` when all is said.",
    )
    after = [f"no candidate: {', '.join(lost[i : i + 6])}" for i in range(0, len(lost), 6)]
    return dump(draft, header=header, open_=open_, after=after)


def _draft(a: Taxonomy, b: Taxonomy, found: dict[str, tuple[Candidate, ...]], accept: float) -> Crosswalk:
    best = [every[0] for every in found.values() if every and every[0].confidence >= accept]
    same: dict[str, Candidate] = {}
    for one in sorted(best, key=lambda one: -one.confidence):
        if one.verb == "is":
            same.setdefault(one.target, one)
    entries: dict[str, Entry] = {}
    sets: dict[str, frozenset[str]] = {}
    for one in best:
        entry = one.entry()
        if one.verb == "is" and same[one.target] is not one:
            note = f"{entry.note}; `{same[one.target].source}` is surer to be the same"
            entry = replace(entry, verb="within", note=note)
        above = [id_ for id_ in holders(one.source, a) if id_ in entries]
        if any(contradicts(_link(entry), _link(entries[id_]), b, around=sets[id_]) for id_ in above):
            continue
        entries[one.source] = entry
        sets[one.source] = frozenset(allowed(_link(entry), b))
    specials = [Entry(s.id, "none", (counterpart(s, b),), None, None, f"both are {s.role}") for s in a.special]
    mapped = [node.id for node in a.nodes if any(id_ in entries for id_ in (node.id, *a.ancestors(node.id)))]
    return Crosswalk(
        id=f"{a.id}_to_{b.id}",
        version="0.1.0",
        from_id=a.id,
        from_version=f"=={a.version}",
        to_id=b.id,
        to_version=f"=={b.version}",
        entries=(*entries.values(), *specials),
        title=f"{a.title or a.id} to {b.title or b.id} (draft)",
        unmapped="error" if len(mapped) == len(a.nodes) else "ignore",
    )


def _link(entry: Entry) -> Link:
    return Link(entry.verb, entry.targets, entry.shares)


def _weighed(
    node: Node, other: Node, reasons: Iterable[tuple[float, Verb, str]], above: str | None, b: Taxonomy
) -> Candidate:
    every = sorted(reasons, key=lambda reason: -reason[0])
    left = 1.0
    for weight, _, _ in every:
        left *= 1 - weight
    confidence = 1 - left
    words = [word for _, _, word in every]
    if above is not None:
        agrees = above == other.id or above in b.ancestors(other.id)
        confidence = confidence + 0.3 * (1 - confidence) if agrees else 0.8 * confidence
        words.append(f"the class above is near {above}" + ("" if agrees else ", which does not hold it"))
    verb = every[0][1]
    if node.kind == "residual" and other.kind == "residual":
        # "Other" means other than its own siblings, which are not the same in two trees.
        verb, confidence = "overlaps", 0.5 * confidence
        words.append("two rests are seldom the same")
    return Candidate(node.id, other.id, verb, round(min(confidence, 0.99), 2), tuple(dict.fromkeys(words)))


class _Index:
    """The classes of a tree by everything that may be the same."""

    def __init__(self, tree: Taxonomy) -> None:
        self.codes: dict[str, str] = {}
        self.names: dict[str, list[tuple[str, str]]] = {}
        self.bags: dict[frozenset[str], list[str]] = {}
        self.bags_of: dict[str, list[frozenset[str]]] = {}
        self.tokens: dict[str, list[str]] = {}
        self.colors: dict[str, list[str]] = {}
        for node in tree.nodes:
            if node.kind in ("unspecified", "mixed") or node.deprecated is not None:
                continue
            if node.code is not None:
                self.codes[node.code] = node.id
            for how, word in _words(node):
                self.names.setdefault(_plain(word), []).append((node.id, how))
            for bag in dict.fromkeys(_bag(word) for how, word in _words(node) if how != "translation"):
                self.bags.setdefault(bag, []).append(node.id)
                self.bags_of.setdefault(node.id, []).append(bag)
                for token in bag:
                    self.tokens.setdefault(token, []).append(node.id)
            if node.color is not None:
                self.colors.setdefault(node.color, []).append(node.id)

    def evidence(self, node: Node, trust: float) -> Iterator[tuple[str, tuple[float, Verb, str]]]:
        """(class, (weight, verb, reason)) of everything that speaks for a class."""
        if node.code is not None and trust and node.code in self.codes:
            yield self.codes[node.code], (0.9 * trust, "is", f"same code {node.code}")
        named = dict(self._by_name(node))
        yield from named.items()
        if not named:
            yield from self._by_words(node)
        if node.color is not None:
            for id_ in self.colors.get(node.color, ()):
                yield id_, (0.15, "is", f"same colour {node.color}")

    def _by_name(self, node: Node) -> Iterator[tuple[str, tuple[float, Verb, str]]]:
        for how, word in reversed(list(_words(node))):
            for id_, theirs in self.names.get(_plain(word), ()):
                weight = 0.9 if how == theirs == "name" else 0.8
                kind = (
                    "name"
                    if how == theirs == "name"
                    else "translation"
                    if "translation" in (how, theirs)
                    else "synonym"
                )
                yield id_, (weight, "is", f"same {kind} {word}")

    def _by_words(self, node: Node) -> Iterator[tuple[str, tuple[float, Verb, str]]]:
        own = _bag(node.name)
        if own in self.bags:
            for id_ in self.bags[own]:
                yield id_, (0.75, "is", "the same words")
            return
        some = False
        for id_ in dict.fromkeys(id_ for token in own for id_ in self.tokens.get(token, ())):
            for bag in self.bags_of[id_]:
                if bag < own:
                    some = True
                    yield id_, (0.5, "within", f"its name holds the words {' '.join(sorted(bag))}")
                elif own < bag:
                    some = True
                    yield id_, (0.4, "within", f"its words {' '.join(sorted(own))} are part of the name")
        if not some:
            for word in nearest(_plain(node.name), self.names, limit=2):
                if len(word) > 4 and abs(len(word) - len(_plain(node.name))) <= 2:
                    for id_, _ in self.names[word]:
                        yield id_, (0.6, "is", f"almost the same name, {word}")


def _words(node: Node) -> Iterator[tuple[str, str]]:
    yield "name", node.name
    if _plain(node.id) != _plain(node.name):
        yield "id", node.id
    for word in node.synonyms:
        yield "synonym", word
    for word in node.labels.values():
        yield "translation", word


def _plain(word: str) -> str:
    """Letters and digits of a name, without case, accents and marks."""
    bare = unicodedata.normalize("NFKD", word.casefold())
    bare = "".join(char for char in bare if not unicodedata.combining(char))
    return " ".join(re.findall(r"\w+", bare.replace("_", " ")))


def _bag(word: str) -> frozenset[str]:
    """The words of a name in the singular, small ones left out unless there are no others."""
    every = [_singular(token) for token in _plain(word).split()]
    return frozenset([token for token in every if token not in _STOP] or every)


def _singular(token: str) -> str:
    if len(token) > 4 and token.endswith("ies"):
        return token[:-3] + "y"
    if len(token) > 4 and token.endswith(("oes", "xes", "ches", "shes")):
        return token[:-2]
    return token[:-1] if len(token) > 3 and token.endswith("s") and not token.endswith("ss") else token


def _shared_scheme(a: Taxonomy, b: Taxonomy) -> float:
    """How far equal codes mean equal classes: the share of them whose names have a word in common, 0 below a half."""
    codes = {node.code: node for node in b.nodes if node.code is not None}
    pairs: Sequence[tuple[Node, Node]] = [(n, codes[n.code]) for n in a.nodes if n.code is not None and n.code in codes]
    if len(pairs) < 3:
        return 0.0
    agree = sum(bool(_bag(one.name) & _bag(other.name)) for one, other in pairs) / len(pairs)
    return agree if agree >= 0.5 else 0.0
