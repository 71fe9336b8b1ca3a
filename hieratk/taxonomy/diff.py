"""What changed between two versions of a tree, and what that asks of the version number (family V)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hieratk.taxonomy.changes import STEPS, Change, Step, change
from hieratk.taxonomy.differences import Pair, every
from hieratk.taxonomy.matching import Match, match_classes, match_specials
from hieratk.taxonomy.tree import Taxonomy

_UNSTATED = "0.0.0"


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything that changed. `kept` leads from each class and special value that lives on to its new self, `version`
    is the number that the changes ask for.
    """

    old: Taxonomy
    new: Taxonomy
    changes: tuple[Change, ...]
    kept: Mapping[str, Match] = field(repr=False)
    step: Step | None
    version: str

    @property
    def breaking(self) -> bool:
        """Whether any change is a breaking one."""
        return any(change.breaking for change in self.changes)

    @property
    def wrong(self) -> bool:
        """Whether the change is breaking or a rule is broken: then the command exits with 1."""
        return any(change.breaking or change.severity == "error" for change in self.changes)


def diff(old: Taxonomy, new: Taxonomy) -> Diff:
    """What changed from one version of a tree to the next.

    Steps follow the version rules of the language (known: docs/versions.md): patch for texts and colours, minor for
    what is added and for the order, major for what is removed, renamed, moved, or has another pixel value or kind.
    Chosen: deprecating a class is minor, bringing one back is minor, other parts of a mixture are major.
    """
    classes, specials = match_classes(old, new), match_specials(old, new)
    pair = Pair(old, new, classes, specials)
    changes = tuple(every(pair))
    step = max((change.step for change in changes), key=STEPS.index, default=None)
    wanted = raised(old.version, step) if step else old.version
    version = max(wanted, new.version, key=parts)
    return Diff(old, new, changes + _version(wanted, old, new), {**classes, **specials}, step, version)


def raised(version: str, step: Step) -> str:
    """A version number one step further: raised("1.2.3", "minor") is "1.3.0"."""
    major, minor, patch = parts(version)
    if step == "major":
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if step == "minor" else f"{major}.{minor}.{patch + 1}"


def parts(version: str) -> tuple[int, int, int]:
    """The three numbers of a version."""
    major, minor, patch = version.split(".")
    return int(major), int(minor), int(patch)


def _version(wanted: str, old: Taxonomy, new: Taxonomy) -> tuple[Change, ...]:
    if old.version == new.version == _UNSTATED or parts(new.version) >= parts(wanted):
        return ()
    if parts(new.version) < parts(old.version):
        detail = f"{old.version} -> {new.version} goes back; the new document should be {wanted} or later"
    else:
        detail = f"{old.version} -> {new.version} is too little for the changes; make it {wanted}"
    # The step of the changes is said by the changes; this one asks for none of its own.
    return (change("V009", "version", "patch", "", "", detail),)


def grouped(changes: tuple[Change, ...]) -> Iterator[tuple[str, list[Change]]]:
    """The changes by sort, in the order in which they should be read."""
    sorts: dict[str, list[Change]] = {}
    for one in changes:
        sorts.setdefault(one.what, []).append(one)
    yield from sorts.items()
