"""hieratk train, evaluate, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Quiet = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the run file, e.g. schedule.steps=20."),
]


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file on the command line."""
    app.command()(train)
    app.command()(evaluate)
    app.command()(predict)


def train(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.yaml", help="The run file.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the checkpoint [default: runs/NAME].")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the folder, if there is one.")
    ] = False,
    overrides: Overrides = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train a model.  Example: hieratk train run.yaml -o runs/x"""
    from hieratk.commands.show import progress, say, warn
    from hieratk.config import read_run

    run = read_run(run_file, overrides or [])
    folder = output or Path("runs") / run_file.stem
    from hieratk.training.fit import Step, fit
    from hieratk.training.schema import check_plugins
    from hieratk.training.setup import prepare

    check_plugins(run_file, run.run)
    prepared = prepare(run, folder=folder)
    for message in prepared.survey.warnings:
        warn(message)
    say(prepared.survey.summary(), quiet=quiet)
    with progress("train", quiet=quiet) as advance:

        def on_step(step: Step) -> None:
            advance(step.number, step.of, f"loss {step.loss:.3f}")
            if step.validation is not None:
                levels = ", ".join(f"{name} {100 * level.miou:.1f} %" for name, level in step.validation.levels.items())
                say(f"step {step.number}: validation mIoU {levels}", quiet=quiet)

        fit(prepared, folder, resume=resume, device=choose_device(device), on_step=on_step)
    say(f"checkpoint: {folder}\nnext: hieratk evaluate {folder}", quiet=quiet)


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="The folder that `hieratk train` wrote.")],
    config: Annotated[Path | None, typer.Option(help="Another run file: its scenes and split.")] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    format: Annotated[Literal["table", "json"], typer.Option(help="table or json.")] = "table",
    classes: Annotated[bool, typer.Option("--classes", help="Show the IoU of every class.")] = False,
    overrides: Overrides = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Score a checkpoint by level.  Example: hieratk evaluate runs/x"""
    from hieratk.commands.show import print_scores, progress
    from hieratk.config import read_run
    from hieratk.errors import ConfigError

    if split not in ("train", "val", "test"):
        raise ConfigError(f"no split `{split}`; there are train, val and test")
    run = read_run(config, overrides or []) if config else None
    from hieratk.checkpoints import open_checkpoint
    from hieratk.training.evaluate import evaluate as score
    from hieratk.training.setup import prepare

    opened = open_checkpoint(checkpoint)
    prepared = prepare(run or opened.run, folder=checkpoint)
    with progress("evaluate", quiet=quiet) as advance:
        scores = score(checkpoint, prepared, split=split, device=choose_device(device), progress=advance)
    if format == "json":
        print(scores.to_json())
    else:
        print_scores(scores, classes=classes)


def predict(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="The folder that `hieratk train` wrote.")],
    images: Annotated[list[Path], typer.Argument(metavar="IN.tif...", help="Scenes.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The map; for several scenes, a folder.")],
    tree: Annotated[
        str | None, typer.Option(help="After a transfer: the id of the tree to predict [default: the target].")
    ] = None,
    window: Annotated[int | None, typer.Option(min=1, help="Window size in pixels [default: the run file's].")] = None,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="Pixels that neighbours share [default: the run file's].")
    ] = None,
    risk: Annotated[
        float | None,
        typer.Option(
            help="Of a calibrated checkpoint: leave levels open to keep this risk; 1 decides all "
            "[default: as calibrated]."
        ),
    ] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Write maps with one band a level.  Example: hieratk predict runs/x scene.tif -o map.tif"""
    from hieratk.commands.show import progress, say
    from hieratk.errors import ConfigError

    several = len(images) > 1
    if several and output.suffix:
        raise ConfigError(f"{output} looks like a file, but {len(images)} scenes need a folder; give -o FOLDER")
    if several and len({image.name for image in images}) < len(images):
        raise ConfigError("two of the scenes have the same file name, so their maps would; predict them one by one")
    from hieratk.checkpoints import open_checkpoint
    from hieratk.prediction import predict as write_map

    opened = open_checkpoint(checkpoint)
    if tree is not None:
        opened = opened.of_tree(tree)
        checkpoint = opened.folder
    stated = opened.run.run.predict
    size, shared = window or stated.window, stated.overlap if overlap is None else overlap
    if shared >= size:
        raise ConfigError(f"--overlap {shared} must be smaller than --window {size}")
    if several:
        output.mkdir(parents=True, exist_ok=True)
    for image in images:
        target = output / f"{image.stem}.tif" if several else output
        with progress(image.name, quiet=quiet) as advance:
            done = write_map(
                checkpoint, image, target, window=size, overlap=shared, batch=stated.batch,
                device=choose_device(device), risk=risk, progress=advance,
            )  # fmt: skip
        say(f"{target}: {done.predicted:,} pixels predicted, {done.nodata:,} without data", quiet=quiet)
        if done.risk is not None:
            rows = zip(opened.taxonomy.level_names, done.decided, strict=True)
            shares = ", ".join(f"{name} {100 * count / max(done.predicted, 1):.1f} %" for name, count in rows)
            say(f'decided at risk {done.risk:g}: {shares}; the rest is "not decided at this level"', quiet=quiet)


def choose_device(name: str) -> str:
    """The device of a word; raises ConfigError for one that cannot be used."""
    import torch

    from hieratk.errors import ConfigError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name} cannot be used: {str(error).splitlines()[0]}; try --device cpu") from None
    return name
