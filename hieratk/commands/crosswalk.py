"""`hieratk crosswalk`: show and list crosswalks, draft one between two trees, join two."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hieratk.commands import crosswalk_check
from hieratk.commands.light import LightCommand, LightGroup
from hieratk.commands.show import print_text
from hieratk.errors import CrosswalkError, HieratkError

if TYPE_CHECKING:
    from hieratk.crosswalk import Crosswalk
    from hieratk.taxonomy.tree import Taxonomy

crosswalk_app = typer.Typer(
    name="crosswalk",
    help="Relations between the classes of two trees: check, show, list, draft, join.",
    cls=LightGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
)
crosswalk_check.add_to(crosswalk_app)


@crosswalk_app.command("list", cls=LightCommand)
def list_() -> None:
    """List the crosswalks that a name stands for.  Example: hieratk crosswalk list"""
    from hieratk.crosswalk import find, load, names

    rows = []
    for name in names():
        try:
            one = load(find(name))
        except HieratkError:
            rows.append((name, "", "", "", f"has errors: hieratk crosswalk check {name}"))
            continue
        rows.append((name, one.from_id, one.to_id, str(len(one.entries)), one.title))
    print_text(_aligned(("name", "from", "to", "lines", "title"), rows))


@crosswalk_app.command(cls=LightCommand)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name (see hieratk crosswalk list) or a path.")],
    backwards: Annotated[bool, typer.Option("--reverse", help="Read it from the target to the source.")] = False,
) -> None:
    """Show what a crosswalk says about every class, and what follows from it for those without a line.

    Example: hieratk crosswalk show esa_cci_lc_to_lclu
    """
    from hieratk.crosswalk import find, load, resolve, reverse, trees

    path = find(name)
    crosswalk = load(path)
    source, target = trees(crosswalk, beside=path)
    links = resolve(crosswalk, source, target)
    print_text(f"{crosswalk.id} {crosswalk.version}" + (f"  {crosswalk.title}" if crosswalk.title else "") + "\n")
    if backwards:
        links, source, target = reverse(links, source, target), target, source
    print_text(f"from {source.id} {source.version} to {target.id} {target.version}\n\n")
    notes = {} if backwards else {entry.source: entry.note or "" for entry in crosswalk.entries}
    rows = []
    for id_, code in [(n.id, n.code or "") for n in source.nodes] + [(s.id, "") for s in source.special]:
        link = links.get(id_)
        if link is None:
            rows.append((_indented(source, id_), code, "-", "", "", "nothing is said"))
            continue
        how = {"ancestor": f"as {link.via}", "parts": "from its parts", "children": "from the classes below"}
        sure = "" if link.confidence is None else f"{link.confidence:g}"
        said = how.get(link.origin, notes.get(id_, ""))
        rows.append((_indented(source, id_), code, link.verb, _targets(link.targets, link.shares), sure, said))
    print_text(_aligned(("class", "code", "relation", "target", "sure", "why"), rows))


@crosswalk_app.command(cls=LightCommand)
def suggest(
    source: Annotated[str, typer.Argument(metavar="A", help="The tree whose classes are mapped: a name or a path.")],
    target: Annotated[str, typer.Argument(metavar="B", help="The tree that they are mapped to.")],
    output: Annotated[str | None, typer.Option("-o", "--output", help="A file; standard output without.")] = None,
    accept: Annotated[str, typer.Option("--accept", help="Less sure candidates become comments, 0 to 1.")] = "0.75",
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")] = False,
) -> None:
    """Draft a crosswalk: candidates by code, name, synonym, translation, colour and place, for you to look at.

    Example: hieratk crosswalk suggest fbp mm5b -o fbp_to_mm5b.yaml
    """
    from dataclasses import replace

    from hieratk.crosswalk.suggestion import document, suggest
    from hieratk.taxonomy.catalog import load

    if not _is_share(accept):
        raise CrosswalkError(f"--accept takes a number from 0 to 1, not `{accept}`")
    a, b = load(source), load(target)
    file = output or "draft.yaml"
    draft = suggest(a, b, accept=float(accept))
    draft = replace(draft, id=_id_of(output, draft.id), from_id=_called(source, file), to_id=_called(target, file))
    _deliver(document(a, b, draft=draft), output, force=force)
    sure = sum(entry.confidence is not None for entry in draft.entries)
    typer.echo(f"{sure} of {len(a.nodes)} classes have a line; look at every one of them", err=True)


@crosswalk_app.command(cls=LightCommand)
def compose(
    first: Annotated[str, typer.Argument(metavar="AB", help="A crosswalk: a name or a path.")],
    second: Annotated[str, typer.Argument(metavar="BC", help="The crosswalk that goes on from where it leads.")],
    output: Annotated[str | None, typer.Option("-o", "--output", help="A file; standard output without.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")] = False,
) -> None:
    """Join two crosswalks: from the classes of the first one to those that the second one leads to.

    Example: hieratk crosswalk compose esa_cci_lc_to_lclu lclu_to_mine.yaml -o esa_cci_lc_to_mine.yaml
    """
    from dataclasses import replace

    from hieratk.crosswalk import compose, dump, find, load, trees
    from hieratk.crosswalk.checking import check as check_text
    from hieratk.crosswalk.composition import unknown
    from hieratk.crosswalk.places import moved
    from hieratk.diagnostics import render
    from hieratk.documents import read_source

    ab_path, bc_path = find(first), find(second)
    ab, bc = load(ab_path), load(bc_path)
    a, b = trees(ab, beside=ab_path)
    middle, c = trees(bc, beside=bc_path)
    _same_tree(ab, bc, b, middle)
    composed = compose(ab, bc, a, b, c)
    file = output or "composed.yaml"
    composed = replace(
        composed,
        id=_id_of(output, composed.id),
        from_id=moved(ab.from_id, file=str(ab_path), to=file),
        to_id=moved(bc.to_id, file=str(bc_path), to=file),
    )
    _deliver(dump(composed), output, force=force)
    source, _ = read_source(ab_path)
    draft = check_text(source).draft
    assert draft is not None  # it has been loaded
    found = unknown(source, draft, bc, (a, b, c), ab)
    if found:
        typer.echo(render(found, format="concise"), err=True, nl=False)
        typer.echo(f"the relation of {len(found)} classes is not known; what they allow is right (X020)", err=True)


def _same_tree(ab: Crosswalk, bc: Crosswalk, b: Taxonomy, middle: Taxonomy) -> None:
    if b.fingerprint == middle.fingerprint:
        return
    if b.id != middle.id:
        raise CrosswalkError(f"`{ab.id}` leads to `{b.id}`, and `{bc.id}` goes on from `{middle.id}`; they do not meet")
    raise CrosswalkError(
        f"`{ab.id}` leads to `{b.id}` {b.version}, and `{bc.id}` goes on from {middle.version}:"
        f" {b.difference(middle)}. Bring both to one version."
    )


def _id_of(output: str | None, otherwise: str) -> str:
    """The id that fits the name of the file."""
    import re

    from hieratk.taxonomy.spec import ID_PATTERN

    stem = Path(output).name.partition(".")[0] if output else ""
    return stem if re.fullmatch(ID_PATTERN, stem) else otherwise


def _called(word: str, file: str) -> str:
    """What a crosswalk in a file has to call a tree that the command line calls by this name or path."""
    path = Path(word)
    if not path.is_file():
        return word
    way = Path(os.path.relpath(path.resolve(), Path(file).parent.resolve()))
    return way.stem if way.parent == Path() and way.suffix == ".yaml" else way.as_posix()


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _indented(tree: Taxonomy, id_: str) -> str:
    return ("  " * len(tree.ancestors(id_)) if id_ in tree else "") + id_


def _targets(targets: Sequence[str], shares: Sequence[float] | None) -> str:
    if shares is None:
        return ", ".join(targets)
    return ", ".join(f"{id_} {share:g}" for id_, share in zip(targets, shares, strict=True))


def _aligned(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns side by side; a column without any text is left out."""
    from hieratk.taxonomy.dump import columns

    table = [headings, *rows]
    shown = [i for i in range(len(headings)) if any(row[i] for row in table[1:])]
    width = {i: max(columns(row[i]) for row in table) for i in shown}
    lines = ["  ".join(row[i] + " " * (width[i] - columns(row[i])) for i in shown).rstrip() for row in table]
    return "\n".join(lines) + "\n"


def _deliver(text: str, output: str | None, *, force: bool) -> None:
    if output is None:
        print_text(text)
        return
    from hieratk.documents.writing import write_text
    from hieratk.errors import CrosswalkError

    write_text(output, text, replace=force, error=CrosswalkError)
    typer.echo(f"wrote {output}; then: hieratk crosswalk check {output}", err=True)
