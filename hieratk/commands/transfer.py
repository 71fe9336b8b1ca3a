"""hieratk transfer: the plan of moving a model from one tree to another, and the move itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hieratk.commands.show import print_text

if TYPE_CHECKING:
    from hieratk.crosswalk import Crosswalk
    from hieratk.taxonomy.tree import Taxonomy
    from hieratk.transfer.plan import TransferPlan


def add_to(app: typer.Typer) -> None:
    """Put the command of this file on the command line."""
    app.command()(transfer)


def transfer(
    source: Annotated[str, typer.Option("--from", metavar="TREE", help="Tree of the trained model: a file or a name.")],
    target: Annotated[str, typer.Option("--to", metavar="TREE", help="The tree to come: a file or a name.")],
    crosswalk: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME", help="How the two trees relate, in either direction [default: the one shipped]."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A class aligned by a guess is an error.")] = False,
    run: Annotated[
        Path | None,
        typer.Option(metavar="RUN.yaml", help="Count the labelled pixels of each class in this run's data."),
    ] = None,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="PLAN.yaml", help="Take this plan, edited or not, instead of making one."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Where to save the plan; with --checkpoint the folder of the new checkpoint."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a plan that exists.")] = False,
    format: Annotated[Literal["table", "json"], typer.Option(help="table or json.")] = "table",
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="SOURCE", help="Carry the plan out on this checkpoint; needs --config.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="RUN.yaml", help="The run file of the target data.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the run file.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the new checkpoint in the folder, if there is one.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the plan and errors only.")] = False,
) -> None:
    """Plan how a model moves to another tree.  Example: hieratk transfer --from lclu.yaml --to crops.yaml"""
    from hieratk.errors import TransferError
    from hieratk.transfer.finding import tree

    if (checkpoint is None) != (config is None):
        raise typer.BadParameter("--checkpoint and --config carry a plan out together; give both or neither")
    if plan_file is not None and (crosswalk is not None or strict):
        raise typer.BadParameter("--plan is a plan already; --crosswalk and --strict are for making one")
    trees = tree(source), tree(target)
    try:
        if plan_file is not None:
            from hieratk.transfer.document import load

            made = load(plan_file, *trees)
        else:
            made = _made(*trees, crosswalk=crosswalk, strict=strict, run=run, overrides=overrides or [])
        if checkpoint is None and output is not None:
            _save(made, output, force=force)
    except TransferError as error:
        raise _refused(error) from error
    if checkpoint is None or config is None:
        _show(made, *trees, format=format, quiet=quiet)
        return
    from hieratk.commands.transfer_work import carry_out

    if not quiet:
        _warn(made)
    carry_out(
        made, *trees, checkpoint=checkpoint, config=config, output=output, overrides=overrides or [], resume=resume,
        device=device, quiet=quiet,
    )  # fmt: skip


def _made(
    source: Taxonomy,
    target: Taxonomy,
    *,
    crosswalk: str | None,
    strict: bool,
    run: Path | None,
    overrides: list[str],
) -> TransferPlan:
    from hieratk.transfer.planning import plan

    survey = None if run is None else _pixels(run, target, overrides)
    return plan(source, target, crosswalk=_crosswalk(crosswalk, source, target), strict=strict, survey=survey)


def _crosswalk(name: str | None, source: Taxonomy, target: Taxonomy) -> Crosswalk | None:
    """The crosswalk that was named, or the shipped one between two trees that need one."""
    if name is None:
        from hieratk.transfer.align import related_by_id
        from hieratk.transfer.finding import crosswalk_between

        name = None if related_by_id(source, target) else crosswalk_between(source, target)
    if name is None:
        return None
    from hieratk.crosswalk import load

    return load(name)


def _pixels(run_file: Path, target: Taxonomy, overrides: list[str]) -> dict[str, dict[str, int]]:
    """Labelled pixels of every target class and split, from one pass over a run's labels."""
    from hieratk.config import read_run
    from hieratk.errors import TransferError
    from hieratk.training.setup import prepare
    from hieratk.transfer.planning import pixels_by_node

    prepared = prepare(read_run(run_file, overrides), folder=Path("runs") / run_file.stem)
    if prepared.taxonomy.fingerprint != target.fingerprint:
        raise TransferError(
            f"the run file {run_file} is for the tree {prepared.taxonomy.id} {prepared.taxonomy.version}, not for"
            f" {target.id} {target.version}; give the run of the target data"
        )
    return pixels_by_node(target, prepared.survey.by_class())


def _save(plan: TransferPlan, path: Path, *, force: bool) -> None:
    from hieratk.documents.writing import write_text
    from hieratk.errors import TransferError
    from hieratk.transfer.document import dump

    if path.suffix not in (".yaml", ".yml"):
        raise TransferError(f"a plan is a YAML file; did you mean {path}.yaml?")
    if path.exists() and not force:
        raise TransferError(f"{path} exists already, and may have been edited; choose another name, or give --force")
    write_text(path, dump(plan), replace=force, error=TransferError)
    print(f"wrote {path}", file=sys.stderr)


def _show(plan: TransferPlan, source: Taxonomy, target: Taxonomy, *, format: str, quiet: bool) -> None:
    if not quiet:
        _warn(plan)
    if format == "json":
        from hieratk.transfer.text import as_json

        print(as_json(plan))
    elif sys.stdout.isatty():
        from hieratk.commands.transfer_tables import paint

        paint(plan, source, target)
    else:
        from hieratk.transfer.text import as_text

        print_text(as_text(plan, source, target))


_SHOWN = 20


def _warn(plan: TransferPlan) -> None:
    for warning in plan.warnings[:_SHOWN]:
        print(f"warning: {warning.message}", file=sys.stderr)
    if len(plan.warnings) > _SHOWN:
        print(f"warning: and {len(plan.warnings) - _SHOWN} more; a saved plan lists them all", file=sys.stderr)
    if plan.guesses:
        text = (
            f"{len(plan.guesses)} of {len(plan.rows)} classes are aligned by a guess (marked ?); a crosswalk settles it"
        )
        print(f"warning: {text}", file=sys.stderr)


def _refused(error: Exception) -> typer.Exit:
    """The plan cannot be: exit status 1, where other errors have 2."""
    import os

    if os.environ.get("HIERATK_DEBUG"):
        raise error
    text = str(error)
    print(text if text.startswith("error") else f"error: {text}", file=sys.stderr)
    return typer.Exit(1)
