"""A draft of the crosswalk from one version of a tree to the next, from what `hieratk taxonomy diff` found.

What is known is written: a class that lives on is itself, special values are their own kind, a class whose content was
distributed covers or overlaps where it went. What nobody but the authors can know, where the pixels of a removed class
belong, is left out and said in comments, so that `hieratk crosswalk check` keeps asking for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hieratk.crosswalk.dump import dump
from hieratk.crosswalk.links import cover
from hieratk.crosswalk.values import Crosswalk, Entry
from hieratk.diagnostics import nearest
from hieratk.taxonomy.diff import Diff, parts
from hieratk.taxonomy.tree import Node, Taxonomy

_FEW = 3
_LETTERS = 2


@dataclass(frozen=True, slots=True)
class Draft:
    """The crosswalk as far as it follows from the changes, and for each class without a line what may be meant."""

    crosswalk: Crosswalk
    open: tuple[tuple[str, str | None], ...]

    @property
    def text(self) -> str:
        """The document; classes that need a line of a person stand in comments at its end."""
        head = [
            f"# Draft: what follows from the changes from {self.crosswalk.from_id} {self.crosswalk.from_version} to"
            f" {self.crosswalk.to_id} {self.crosswalk.to_version}.",
            "# Every line should be looked at by somebody who knows both.",
        ]
        lines = [*head, dump(self.crosswalk).rstrip("\n")]
        if self.open:
            lines.append(f"  # {len(self.open)} removed without a successor: say where their pixels belong.")
            for id_, guess in self.open:
                lines.append(f"  # {id_}: {{within: {guess}}}" if guess else f"  # {id_}:")
        return "\n".join(lines) + "\n"


def succession(diff: Diff, *, id: str | None = None, old_name: str | None = None, new_name: str | None = None) -> Draft:
    """The draft of the crosswalk from the old tree of a diff to the new one.

    `id` is that of the crosswalk, by default one made of both trees. `old_name` and `new_name` are how the document
    refers to the trees: names or paths beside it, by default their ids. Two versions of one id need paths.
    """
    return _Succession(diff).draft(id, old_name or diff.old.id, new_name or diff.new.id)


class _Succession:
    """Entries by class of the old tree; a class asks for those below it."""

    def __init__(self, diff: Diff) -> None:
        self.old, self.new, self.kept = diff.old, diff.new, diff.kept
        self.entries: dict[str, Entry] = {}
        # What a line may lead to: not to mixed, unspecified and replaced classes.
        self.plain = {node.id for node in self.new.predicted if node.deprecated is None}
        # The leaves of the new tree that each leaf of the old one may be, and those of them that are known to be it.
        self.reach: dict[str, frozenset[str]] = {}
        self.exact: set[str] = set()
        # Which leaves of the old tree reach a new one, and which lie below a class.
        self.sources: dict[str, set[str]] = {}
        self.below: dict[str, set[str]] = {}

    def draft(self, id_: str | None, old_name: str, new_name: str) -> Draft:
        leaves, predicted = set(self.old.leaves), {node.id for node in self.old.predicted}
        for leaf in self.old.leaves:
            self._leaf(self.old[leaf])
            for above in self.old.ancestors(leaf):
                self.below.setdefault(above, set()).add(leaf)
        for leaf, found in self.reach.items():
            for one in found:
                self.sources.setdefault(one, set()).add(leaf)
        for node in self.old.predicted:
            # What stands for a deprecated class follows from the lines of its replacements.
            if node.id not in leaves and node.deprecated is None:
                self._inner(node)
        for node in self.old.nodes:
            if node.id not in predicted:
                self._unpredicted(node)
        for entry in self.old.special:
            if entry.id in self.kept:
                self.entries[entry.id] = Entry(entry.id, "none", (self.kept[entry.id].id,))
        order = [node.id for node in self.old.nodes] + [entry.id for entry in self.old.special]
        known = tuple(self.entries[id_] for id_ in order if id_ in self.entries)
        old, new = self.old, self.new
        versions = f"{old.id}_{old.version.replace('.', '_')}_to_{new.version.replace('.', '_')}"
        crosswalk = Crosswalk(
            id=id_ or (versions if old.id == new.id else f"{old.id}_to_{new.id}"),
            version="0.1.0",
            from_id=old_name,
            from_version=_only(old),
            to_id=new_name,
            to_version=_only(new),
            entries=known,
            title=f"{old.id} {old.version} to {new.id} {new.version}",
        )
        return Draft(crosswalk, self._open())

    def _leaf(self, node: Node) -> None:
        found = self._successors(node)
        if not found:
            return
        self.reach[node.id] = frozenset(leaf for id_ in found for leaf in self.new.allowed(id_))
        verb, note = ("is", None) if self._same(node) else ("within" if len(found) == 1 else "overlaps", None)
        if verb == "is":
            self.exact.add(node.id)
            note = self._renamed(node)
        self.entries[node.id] = Entry(node.id, verb, found, note=note)  # type: ignore[arg-type]

    def _same(self, node: Node) -> bool:
        return node.id in self.kept and self.kept[node.id].id in self.plain

    def _successors(self, node: Node) -> tuple[str, ...]:
        """The classes of the new tree that a class is or lies in; none where the changes do not say."""
        match = self.kept.get(node.id)
        if match is None:
            use = node.deprecated.use if node.deprecated is not None else ()
            ids = tuple(self.kept[one].id for one in use if one in self.kept)
            return ids if len(ids) == len(use) else ()
        if match.id in self.plain:
            return (match.id,)
        # Mixed, unspecified and replaced classes are no targets; what they stand for is.
        return cover(self.new.allowed(match.id), self.new)

    def _renamed(self, node: Node) -> str | None:
        match = self.kept[node.id]
        return match.reason if match.id != node.id else None

    def _inner(self, node: Node) -> None:
        below = self.below.get(node.id, set())
        known = [leaf for leaf in below if leaf in self.reach]
        went = frozenset(leaf for id_ in known for leaf in self.reach[id_])
        match = self.kept.get(node.id)
        if match is None or match.id not in self.plain:
            return
        here = frozenset(self.new.allowed(match.id))
        if went <= here:
            verb = "is" if all(self.sources.get(leaf, set()) <= below for leaf in here) else "within"
            self.entries[node.id] = Entry(node.id, verb, (match.id,), note=self._renamed(node))  # type: ignore[arg-type]
            return
        exact = len(known) == len(below) and self.exact.issuperset(below)
        self._distributed(node.id, went if exact else went | here, exact=exact)

    def _distributed(self, id_: str, leaves: frozenset[str], *, exact: bool) -> None:
        targets = cover(leaves, self.new)
        verb = "within" if len(targets) == 1 else "covers" if exact else "overlaps"
        self.entries[id_] = Entry(id_, verb, targets)  # type: ignore[arg-type]

    def _unpredicted(self, node: Node) -> None:
        """Unspecified, mixed and deprecated classes: a line where what they inherit would not say it."""
        leaves = self.old.allowed(node.id)
        if not leaves or not self.reach.keys() >= leaves.keys():
            return
        went = frozenset(leaf for id_ in leaves for leaf in self.reach[id_])
        above = next((self.entries[id_] for id_ in self.old.ancestors(node.id) if id_ in self.entries), None)
        inherits = above is not None and above.verb in ("is", "within") and node.kind == "unspecified"
        if not inherits and node.deprecated is None and node.kind != "mixed":
            self._distributed(node.id, went, exact=False)

    def _open(self) -> tuple[tuple[str, str | None], ...]:
        """Leaves without a line, each with what may be meant: a new class of a near name; the only new class where only
        few were removed; else what hung above it."""
        origin = {match.id for match in self.kept.values()}
        fresh = {node.id: node.parent for node in self.new.predicted if node.id not in origin}
        left = [leaf for leaf in self.old.leaves if leaf not in self.reach]
        named = {leaf: guess for leaf in left if (guess := _near(leaf, fresh))}
        beside: dict[str | None, list[str]] = {}
        for id_, parent in fresh.items():
            if id_ not in named.values():
                beside.setdefault(parent, []).append(id_)
        gone = Counter(self.old[leaf].parent for leaf in left if leaf not in named)
        found = []
        for leaf in left:
            parent = self.old[leaf].parent
            place = self.kept[parent].id if parent is not None and parent in self.kept else None
            guess = named.get(leaf)
            if guess is None and (parent is None or place is not None):
                new = beside.get(place, [])
                guess = new[0] if len(new) == 1 and gone[parent] <= _FEW else place
            found.append((leaf, guess))
        return tuple(found)


def _near(id_: str, candidates: Iterable[str]) -> str | None:
    """An id of nearly the same letters or with a word in common."""
    for guess in nearest(id_, list(candidates), limit=1):
        if set(id_.split("_")) & set(guess.split("_")) or abs(len(id_) - len(guess)) <= _LETTERS:
            return guess
    return None


def _only(tree: Taxonomy) -> str:
    return f">={tree.version},<{parts(tree.version)[0] + 1}"
