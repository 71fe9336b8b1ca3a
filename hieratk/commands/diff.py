"""hieratk taxonomy diff: what changed between two versions of a tree, and what follows from it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hieratk.commands.show import print_text
from hieratk.errors import TaxonomyError

if TYPE_CHECKING:
    from hieratk.taxonomy.changes import Change
    from hieratk.taxonomy.diff import Diff
    from hieratk.taxonomy.tree import Taxonomy

_SHOWN = 10


def add_to(app: typer.Typer) -> None:
    """Put the command of this file on the command line."""
    app.command()(diff)


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The old tree: a file or a known name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new tree.")],
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    every: Annotated[bool, typer.Option("--all", help="List every change, not the first ones of each sort.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write a draft of the crosswalk from old to new here.")
    ] = None,
) -> None:
    """Compare two versions of a tree: what changed, what breaks, which version number it needs.

    Exit 1 where something breaks or the version is raised too little. Example: hieratk taxonomy diff old.yaml new.yaml
    """
    from hieratk.taxonomy.catalog import load
    from hieratk.taxonomy.diff import diff as compare

    if format not in ("text", "json"):
        raise TaxonomyError(f"--format knows no `{format}`; there are text and json")
    if output is not None and output.exists():
        raise TaxonomyError(f"{output} exists already and is left as it is; choose another name")
    found = compare(load(old), load(new))
    if format == "json":
        import json

        print(json.dumps(_json(found), ensure_ascii=False, indent=1))
    else:
        print_text("".join(f"{line}\n" for line in _text(found, every=every)))
    if output is not None:
        _write_draft(found, output, old=old, new=new)
    if found.wrong:
        raise typer.Exit(1)


def _write_draft(found: Diff, output: Path, *, old: str, new: str) -> None:
    import re

    from hieratk.crosswalk.succession import succession
    from hieratk.documents.writing import write_text
    from hieratk.taxonomy.spec import ID_PATTERN

    # A crosswalk names a tree by its name or by a path from its own folder.
    folder = output.parent
    names = [Path(os.path.relpath(name, folder)).as_posix() if Path(name).is_file() else None for name in (old, new)]
    id_ = output.stem if re.fullmatch(ID_PATTERN, output.stem) else None
    draft = succession(found, id=id_, old_name=names[0], new_name=names[1])
    write_text(output, draft.text, replace=False)
    typer.echo(f"wrote {output}: {len(draft.crosswalk.entries)} lines, {len(draft.open)} left to you", err=True)


def _text(found: Diff, *, every: bool) -> Iterator[str]:
    from hieratk.taxonomy.diff import grouped

    old, new = found.old, found.new
    name = old.id if old.id == new.id else f"{old.id} -> {new.id}"
    yield f"{name}  {old.version} -> {new.version}"
    if not found.changes:
        yield "no changes"
        return
    for what, changes in grouped(found.changes):
        yield ""
        first = changes[0]
        steps = "" if first.code == "V009" else f", {first.step}"
        yield f"{first.severity}[{first.code}] {what}{steps}: {len(changes)}"
        lines = _collapsed(found, what, changes)
        shown = lines if every else lines[:_SHOWN]
        width = min(max(len(subject) for subject, _ in shown), 60)
        yield from (f"  {subject:<{width}}  {detail}".rstrip() for subject, detail in shown)
        if len(shown) < len(lines):
            yield f"  … and {len(lines) - len(shown)} more (--all)"
    yield ""
    yield _verdict(found)


def _collapsed(found: Diff, what: str, changes: Sequence[Change]) -> list[tuple[str, str]]:
    """A line a change; subtrees that came or went as a whole are one line, and so are classes that went one way."""
    if what in ("removed", "added"):
        whole = _whole_subtrees(found.old if what == "removed" else found.new, {change.id for change in changes})
        lines = []
        for change in changes:
            if change.id not in whole:
                lines.append((change.id, change.detail))
            elif whole[change.id]:
                lines.append((change.id, f"{change.detail}, and {whole[change.id]} below it"))
        return lines
    if what == "moved":
        ways: dict[str, list[str]] = {}
        for change in changes:
            ways.setdefault(change.detail, []).append(change.id)
        return [(_few(ids), way) for way, ids in ways.items()]
    return [(_subject(change), change.detail) for change in changes]


def _whole_subtrees(tree: Taxonomy, ids: set[str]) -> dict[str, int]:
    """Classes below the top of a subtree that is listed as a whole: its size at the top, 0 at every other class."""
    found: dict[str, int] = {}
    for node in tree.nodes:
        if node.id in ids and node.children and node.id not in found:
            below = tree.descendants(node.id)
            if ids.issuperset(below):
                found.update(dict.fromkeys(below, 0))
                found[node.id] = len(below)
    return found


def _few(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{len(ids)} classes ({', '.join(ids[:2])}{', …' if len(ids) > 2 else ''})"


def _subject(change: Change) -> str:
    return change.id if change.to in ("", change.id) or change.what != "renamed" else f"{change.id} -> {change.to}"


def _verdict(found: Diff) -> str:
    breaking = sum(change.breaking for change in found.changes)
    says = f"breaking: {breaking} of {len(found.changes)} changes" if breaking else "not breaking"
    enough = all(change.code != "V009" for change in found.changes)
    if not enough:
        return f"{says}; a {found.step} step: the version should be {found.version}, not {found.new.version}"
    if found.new.version == found.old.version == "0.0.0":
        return f"{says}; a {found.step} step, but neither document has a version"
    return f"{says}; a {found.step} step is needed, and version {found.new.version} is one"


def _json(found: Diff) -> dict[str, Any]:
    def head(tree: Any) -> dict[str, str]:
        return {"id": tree.id, "version": tree.version, "fingerprint": tree.fingerprint}

    return {
        "version": 1,
        "old": head(found.old),
        "new": head(found.new),
        "breaking": found.breaking,
        "step": found.step,
        "proposed": found.version,
        "changes": [
            {
                "code": change.code,
                "change": change.what,
                "severity": change.severity,
                "step": change.step,
                "id": change.id,
                "to": change.to,
                "detail": change.detail,
            }
            for change in found.changes
        ],
    }
