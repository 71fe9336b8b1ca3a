"""Two trees side by side: for every class of the target, what it is in the source, and how one knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hieratk.errors import TransferError
from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer.guesses import meeting_of_names
from hieratk.transfer.leaves import LeafSets
from hieratk.transfer.meeting import Meeting
from hieratk.transfer.plan import PlanWarning, Reason
from hieratk.transfer.relating import Alignment, Evidence, Reader, mean_of_children

if TYPE_CHECKING:
    from hieratk.crosswalk import Crosswalk


@dataclass(frozen=True, slots=True)
class Alignments:
    """All alignments of two trees: one entry for every predicted class of the target, in the order of the tree.

    `by` is what they rest on. `lost` are predicted source classes of which nothing reaches an aligned target class.
    """

    source: Taxonomy
    target: Taxonomy
    by: Evidence
    entries: tuple[Alignment, ...]
    lost: tuple[str, ...]
    warnings: tuple[PlanWarning, ...] = ()
    notes: tuple[str, ...] = ()


def align(source: Taxonomy, target: Taxonomy, *, crosswalk: Crosswalk | None = None) -> Alignments:
    """Set two trees side by side: by extension, else by a crosswalk (in either direction), else by names.

    Extension: one tree says that it extends the other, and classes are the same by id (notation: 3.4 "Transfer",
    known). Crosswalk: `is` makes classes equal, `within` one a subset of the other, `overlaps` a subset of several,
    `outside` and `none` nothing; relations of the other classes follow from the sets of leaves. Without either, codes
    of one scheme, names, synonyms and translations are guessed at (chosen).

    Raises TransferError for a crosswalk between other trees or versions, and where nothing in the source is anything in
    the target.
    """
    if related_by_id(source, target):
        found = _by_id(source, target, "same" if source.fingerprint == target.fingerprint else "extension")
        if crosswalk is not None:
            note = f"the crosswalk {crosswalk.id} is not needed and not used: classes are told by their ids"
            found = _with_note(found, note)
    elif crosswalk is not None:
        from hieratk.transfer.stated import meeting_of_crosswalk

        forward = direction(crosswalk, source, target)
        found = _by_meeting(meeting_of_crosswalk(source, target, crosswalk, forward=forward), "crosswalk")
        way = "" if forward else ", read backwards"
        found = _with_note(found, f"aligned by the crosswalk {crosswalk.id} {crosswalk.version}{way}")
    else:
        found = _by_meeting(meeting_of_names(source, target), "names")
    if all(entry.relation == "none" for entry in found.entries):
        raise TransferError(_nothing(source, target, crosswalk))
    return found


def related_by_id(source: Taxonomy, target: Taxonomy) -> bool:
    """Whether two trees are the same, or one extends the other: then a class is told by its id, without a crosswalk.

    Raises TransferError where one extends another version of the other.
    """
    return source.fingerprint == target.fingerprint or _extends(target, source) or _extends(source, target)


def direction(crosswalk: Crosswalk, source: Taxonomy, target: Taxonomy) -> bool:
    """Whether a crosswalk leads from the source to the target (True) or from the target to the source (False).

    Raises TransferError where it connects other trees, or other versions of them.
    """
    ends = _name(crosswalk.from_id), _name(crosswalk.to_id)
    if ends not in ((source.id, target.id), (target.id, source.id)):
        raise TransferError(
            f"the crosswalk {crosswalk.id} leads from {ends[0]} to {ends[1]}, not from {source.id} to {target.id} or"
            " back; give the one that connects the two trees"
        )
    forward = ends == (source.id, target.id)
    sides = (source, target) if forward else (target, source)
    for tree, wanted in zip(sides, (crosswalk.from_version, crosswalk.to_version), strict=True):
        if wanted and not _fits(tree.version, wanted):
            raise TransferError(
                f"the crosswalk {crosswalk.id} is for {tree.id} {wanted}, and this is {tree.id} {tree.version};"
                " give a crosswalk for this version, or the version that it was made for"
            )
    return forward


def connects(ends: tuple[tuple[str, str], tuple[str, str]], source: Taxonomy, target: Taxonomy) -> bool:
    """Whether a crosswalk between these two (name, version range) leads from the source to the target."""
    return all(
        _name(name) == tree.id and (not wanted or _fits(tree.version, wanted))
        for (name, wanted), tree in zip(ends, (source, target), strict=True)
    )


def _name(reference: str) -> str:
    """The id that a crosswalk means by a name or a path."""
    return reference.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".yaml").removesuffix(".yml")


def _fits(version: str, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(wanted).contains(version, prereleases=True)


def _extends(tree: Taxonomy, base: Taxonomy) -> bool:
    """Whether a tree was made from a base, in this version of it."""
    if tree.extends is None or tree.extends.id != base.id:
        return False
    if tree.extends.version != base.version:
        raise TransferError(
            f"{tree.id} {tree.version} extends {base.id} {tree.extends.version}, and this is {base.id} {base.version};"
            f" give the {base.id} that it extends"
        )
    return True


def _with_note(found: Alignments, note: str) -> Alignments:
    return replace(found, notes=(*found.notes, note))


def _by_id(source: Taxonomy, target: Taxonomy, by: Evidence) -> Alignments:
    """The same classes have the same id; a class of the target alone lies in the one that it hangs below."""
    ours = {node.id for node in source.predicted}
    entries = []
    leaves = LeafSets(source)
    for node in target.predicted:
        if node.id in ours:
            text = "the same tree" if by == "same" else f"`{node.id}` stands in both trees"
            reason: Reason = "id" if by == "same" else "extension"
            entries.append(Alignment(node.id, "equal", (node.id,), ((node.id, 1.0),), reason, text))
            continue
        above = next((id_ for id_ in target.ancestors(node.id) if id_ in ours), None)
        if above is None:
            entries.append(Alignment(node.id, "none", evidence=f"{source.id} has no class above it"))
            continue
        text = f"{target.id} hangs it below `{above}`"
        start = mean_of_children(((above, 1.0),), leaves)
        entries.append(Alignment(node.id, "subset", (above,), start, "extension", text))
    reached = {id_ for entry in entries for id_ in entry.aligned}
    lost = [
        node.id
        for node in source.predicted
        if node.id not in reached and not any(id_ in reached for id_ in source.ancestors(node.id))
    ]
    notes = () if by == "same" else (f"aligned by extension: {_extension(source, target)}",)
    return Alignments(source, target, by, tuple(entries), tuple(lost), (), notes)


def _extension(source: Taxonomy, target: Taxonomy) -> str:
    upper, base = (target, source) if target.extends and target.extends.id == source.id else (source, target)
    return f"{upper.id} {upper.version} extends {base.id} {base.version}"


def _by_meeting(meeting: Meeting, by: Evidence) -> Alignments:
    reader = Reader(meeting, by)
    entries = tuple(reader.entries())
    linked = {entry.node for entry in entries if entry.relation != "none"}
    ground = 0
    for position, leaf in enumerate(meeting.target.taxonomy.leaves):
        if any(id_ in linked for id_ in meeting.target.taxonomy.path(leaf)):
            ground |= meeting.columns[position]
    source = meeting.source
    lost = tuple(node.id for node in source.taxonomy.predicted if not source.below[node.id] & ground)
    warnings = (*meeting.warnings, *reader.warnings)
    return Alignments(source.taxonomy, meeting.target.taxonomy, by, entries, lost, warnings)


def _nothing(source: Taxonomy, target: Taxonomy, crosswalk: Crosswalk | None) -> str:
    if crosswalk is not None:
        return f"the crosswalk {crosswalk.id} links no class of {target.id} to one of {source.id}; nothing can be moved"
    return (
        f"{source.id} and {target.id} share nothing: neither extends the other, no crosswalk was given, and no code,"
        f" name, synonym or translation agrees; write one, `hieratk crosswalk suggest {source.id} {target.id} -o"
        " draft.yaml` makes a start"
    )
