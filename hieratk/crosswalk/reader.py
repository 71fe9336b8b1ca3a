"""A document to a crosswalk, or everything that is wrong with it."""

from __future__ import annotations

import os
from typing import Any

from hieratk.crosswalk.checking import check
from hieratk.crosswalk.draft import Draft
from hieratk.crosswalk.values import Crosswalk
from hieratk.diagnostics import Problem, Source
from hieratk.documents import read_source
from hieratk.taxonomy.tree import Taxonomy


def read(source: Source, *, between: tuple[Taxonomy, Taxonomy] | None = None) -> tuple[Crosswalk | None, list[Problem]]:
    """The crosswalk of a text, and what the rules say about it, in the order of the text.

    The crosswalk is there where no finding is an error. The two trees are found by the names or paths in the document,
    which hold from the folder of `source.name`; `between` gives them outright.
    """
    checked = check(source, between=between)
    if checked.draft is None:
        return None, checked.problems
    return build(checked.draft), checked.problems


def read_file(path: str | os.PathLike[str]) -> tuple[Crosswalk | None, list[Problem]]:
    """`read` for a file. Raises TaxonomyError for one that cannot be read at all: missing, a folder, no permission."""
    source, problems = read_source(path)
    return (None, problems) if problems else read(source)


def build(draft: Draft) -> Crosswalk:
    """The crosswalk of a draft without errors. Lines whose fault somebody has switched off are left out."""
    head = draft.head
    optional: dict[str, Any] = {
        key: value for key in ("title", "description", "license", "unmapped") if (value := head.get(key)) is not None
    }
    first, last = head.get("from"), head.get("to")
    return Crosswalk(
        id=head.get("id"),
        version=head.get("version"),
        from_id=first.get("taxonomy"),
        from_version=first.get("version"),
        to_id=last.get("taxonomy"),
        to_version=last.get("version"),
        entries=tuple(line.entry() for line in draft.whole()),
        source=tuple(head.get("source") or ()),
        meta=head.get("meta") or {},
        **optional,
    )
