"""What a crosswalk states about two trees, read in either direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer.leaves import LeafSets
from hieratk.transfer.meeting import Meeting, Partner
from hieratk.transfer.plan import PlanWarning

if TYPE_CHECKING:
    from hieratk.crosswalk import Crosswalk, Link

_WORDS = {"is": "is", "within": "lies within", "covers": "covers", "overlaps": "overlaps"}


def meeting_of_crosswalk(source: Taxonomy, target: Taxonomy, crosswalk: Crosswalk, *, forward: bool) -> Meeting:
    """What a crosswalk says; `forward` where it leads from the source to the target, else from target to source.

    A leaf of the tree that the crosswalk starts from lies in the leaves that its own line and those of its ancestors
    allow together. What the other tree's leaves may meet follows: nothing but what reaches them, and for `is` and
    `covers` nothing but the class that is said to be the whole. `outside` and `none` make no link. A class with a
    `within` line is smaller than what it is within, so what nothing else reaches has content elsewhere.
    """
    from hieratk.crosswalk import resolve

    meeting = Meeting.of(source, target)
    first, second = (source, target) if forward else (target, source)
    links = resolve(crosswalk, first, second)
    reading = _Reading(crosswalk.id, meeting, links, forward=forward)
    reading.carry_out()
    return meeting


class _Reading:
    """One crosswalk applied: `first` is the tree whose classes it maps, `second` the one that it maps to."""

    def __init__(self, name: str, meeting: Meeting, links: Mapping[str, Link], *, forward: bool) -> None:
        self.name = name
        self.meeting = meeting
        self.links = links
        self.forward = forward
        self.first: LeafSets = meeting.source if forward else meeting.target
        self.second: LeafSets = meeting.target if forward else meeting.source
        self.allowed = {id_: self._allowed(link) for id_, link in links.items() if id_ in self.first.below}

    def carry_out(self) -> None:
        """Fill the meeting."""
        whole = self._wholes()
        loose = 0
        for position, leaf in enumerate(self.first.taxonomy.leaves):
            reach = self._reach(leaf)
            kept = 0
            for other in self.second.positions(reach):
                if whole.get(other, self.first.all) >> position & 1:
                    kept |= 1 << other
            if reach and not kept:
                self._contradicted(leaf, reach)
                kept = reach
            if not reach:
                loose |= 1 << position
            self._join(1 << position, kept)
        self._set_loose(loose, whole)
        self._note_shares()
        self._note_partners()

    def _allowed(self, link: Link) -> int:
        from hieratk.crosswalk import allowed

        if link.verb in ("outside", "none"):
            return 0
        return self.second.allowed(allowed(link, self.second.taxonomy))

    def _reach(self, leaf: str) -> int:
        """The leaves of the second tree that a leaf may meet: what its own line and those above it have in common."""
        path = [id_ for id_ in reversed(self.first.taxonomy.path(leaf)) if id_ in self.allowed]
        if not path or self.links[path[0]].verb in ("outside", "none"):
            return 0
        found = self.allowed[path[0]]
        for id_ in path[1:]:
            if self.links[id_].verb in ("outside", "none"):
                continue
            if not found & self.allowed[id_]:
                self._strays(leaf, path[0], id_)
                break
            found &= self.allowed[id_]
        return found

    def _wholes(self) -> dict[int, int]:
        """Leaf of the second tree -> the leaves of the smallest class of the first that it is said to be a part of."""
        found: dict[int, int] = {}
        for id_, reach in self.allowed.items():
            if self.links[id_].verb not in ("is", "covers"):
                continue
            here = self.first.below[id_]
            for position in self.second.positions(reach):
                before = found.get(position, self.first.all)
                if here & before:
                    found[position] = here & before
                elif here.bit_count() < before.bit_count():
                    found[position] = here
        return found

    def _join(self, first: int, second: int) -> None:
        if self.forward:
            self.meeting.join(first, second)
        else:
            self.meeting.join(second, first)

    def _set_loose(self, loose: int, whole: Mapping[int, int]) -> None:
        columns = self.meeting.columns if self.forward else self.meeting.rows
        other = 0
        for position, column in enumerate(columns):
            if not column and position not in whole:
                other |= 1 << position
        for id_, reach in self.allowed.items():
            link = self.links[id_]
            if link.verb != "within" or link.origin != "entry" or not reach:
                continue
            reaching = 0
            for position in self.second.positions(reach):
                reaching |= columns[position]
            if not reaching & ~self.first.below[id_]:
                other |= reach
        if self.forward:
            self.meeting.loose_source, self.meeting.loose_target = loose, other
        else:
            self.meeting.loose_source, self.meeting.loose_target = other, loose

    def _note_shares(self) -> None:
        from hieratk.crosswalk import allowed

        self.meeting.of_source = self.forward
        for position, leaf in enumerate(self.first.taxonomy.leaves):
            link = self.links.get(leaf)
            if link is None or link.shares is None:
                continue
            for id_, share in allowed(link, self.second.taxonomy).items():
                if share is not None:
                    other = self.second.bit[id_].bit_length() - 1
                    self.meeting.shares[(position, other) if self.forward else (other, position)] = share

    def _note_partners(self) -> None:
        for id_ in self.first.below:
            link = self.links.get(id_)
            if link is None or link.origin != "entry" or link.verb not in _WORDS:
                continue
            text = f"{self.name}: {id_} {_WORDS[link.verb]} {', '.join(link.targets)}"
            for other in link.targets:
                if other not in self.second.below:
                    continue
                s, t = (id_, other) if self.forward else (other, id_)
                partners = self.meeting.partners.setdefault(t, [])
                partners.append(Partner(s, "crosswalk", text, link.confidence))

    def _strays(self, leaf: str, stated: str, above: str) -> None:
        """The first tree puts a leaf below a class that is mapped to another place."""
        places = ", ".join(f"`{id_}`" for id_ in self.links[stated].targets)
        uppers = ", ".join(f"`{id_}`" for id_ in self.links[above].targets)
        for node in (leaf,) if not self.forward else self.links[stated].targets:
            self._warn(node, f"puts `{leaf}` in {places}, but `{above}` above it in {uppers}")

    def _warn(self, node: str, text: str) -> None:
        text = f"the crosswalk {self.name} {text}; taken as the finer line says"
        self.meeting.warnings.append(PlanWarning("against-the-tree", node, text))

    def _contradicted(self, leaf: str, reach: int) -> None:
        """What this leaf is mapped to is said to be the whole of other classes."""
        owners = [
            id_
            for id_, found in self.allowed.items()
            if self.links[id_].verb in ("is", "covers")
            and self.links[id_].origin == "entry"
            and found & reach
            and not self.first.below[id_] & self.first.bit[leaf]
        ]
        shown = ", ".join(f"`{id_}`" for id_ in owners[:3]) + (
            f" and {len(owners) - 3} more" if len(owners) > 3 else ""
        )
        for id_ in self.second.cover(reach, level=self.first.taxonomy[leaf].level):
            text = f"puts `{leaf}` in `{id_}`, but says that {shown} are all of that"
            self._warn(id_ if self.forward else leaf, text)
