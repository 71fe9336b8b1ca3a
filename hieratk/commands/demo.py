"""hieratk demo: a real scene to consistent maps of three levels, on any machine, in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hieratk.data.scenes import Scene
    from hieratk.training.setup import Prepared

RUN = """\
# Written by `hieratk demo`. Change it and run:  hieratk train run.yaml -o again
taxonomy: indian_pines
dataset: indian-pines
split: {kind: random, block: 12, test: 0.3, val: 0.0, seed: 0}
model: unet
backbone: {name: conv, widths: [48, 64], spectral: 48}
loss: bhccm
schedule: {steps: 400, batch: 24, chip: 12, lr: 0.003, weight_decay: 0.05, warmup: 40}
augment: {noise: 0.1}
predict: {window: 160, overlap: 32}
seed: 0
"""

COVER = """\
# Written by `hieratk demo`: the land cover of the same scene, two levels, to move on from.
""" + RUN.split("\n", 1)[1].replace("taxonomy: indian_pines", "taxonomy: indian_pines_cover").replace("400", "150")

MOVED = """\
# Written by `hieratk demo`: from land cover to 16 classes with 20 labelled pixels of each.
#   hieratk transfer --from indian_pines_cover --to indian_pines --checkpoint cover --config transfer.yaml -o moved
labels: {points: 20, seed: 0}
transfer: {unlabelled: 12}
""" + RUN.split("\n", 1)[1].replace("400", "300").replace("lr: 0.003", "lr: 0.01")


def add_to(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command()(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything the demo writes.")] = Path("demo"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the results only.")] = False,
) -> None:
    """Indian Pines, from scene to maps: validate, train, evaluate, predict, transfer.

    Example: hieratk demo --out demo
    """
    import shutil

    from hieratk.commands.show import print_scores, progress, say
    from hieratk.config import read_run
    from hieratk.errors import ConfigError, DataError
    from hieratk.taxonomy.catalog import find, validate

    run_file, folder, target = out / "run.yaml", out / "checkpoint", out / "map.tif"
    if out.exists() and any(out.iterdir()) and not run_file.exists():
        raise ConfigError(f"{out} holds files that no demo wrote; choose another folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, text in ((run_file, RUN), (out / "cover.yaml", COVER), (out / "transfer.yaml", MOVED)):
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write to {out}: {error.strerror}; choose another folder with --out") from None
    for old in (folder, out / "cover", out / "moved"):
        shutil.rmtree(old, ignore_errors=True)

    findings = validate("indian_pines")
    errors = sum(problem.severity == "error" for problem in findings)
    say(
        f"1/5 taxonomy {find('indian_pines').name}: {errors} errors, {len(findings) - errors} other findings",
        quiet=quiet,
    )

    from hieratk.prediction import predict
    from hieratk.training.evaluate import evaluate
    from hieratk.training.fit import fit
    from hieratk.training.setup import prepare

    prepared = prepare(read_run(run_file), folder=out)
    say("2/5 " + prepared.survey.summary().replace("\n", "\n    "), quiet=quiet)
    with progress("    train", quiet=quiet) as advance:
        fit(prepared, folder, on_step=lambda step: advance(step.number, step.of, f"loss {step.loss:.3f}"))
    say("3/5 scores on blocks that training never saw", quiet=quiet)
    print_scores(evaluate(folder, prepared))
    scene = prepared.scenes[0]
    predict(folder, scene.images[0], target, window=160, overlap=32)
    pictures = _pictures(prepared, scene, target)
    say("4/5 the same 16 classes from a land-cover model and 20 labelled pixels of each", quiet=quiet)
    _transfer(out, quiet=quiet)
    say("5/5 everything lies here:", quiet=quiet)
    for path, what in (
        (scene.images[0], "the scene, 200 bands"),
        (scene.label, "its labels"),
        (run_file, "what was trained"),
        (folder, "the checkpoint"),
        (out / "moved", "the checkpoint of the transfer, its source inside"),
        (target, f"the map: a band each for {', '.join(prepared.taxonomy.level_names)}"),
        *((picture, "map, truth and split of one level") for picture in pictures),
    ):
        print(f"  {path}  {what}")
    print(
        "try next:\n"
        "  hieratk taxonomy show indian_pines\n"
        f"  hieratk evaluate {folder} --classes\n"
        "  hieratk transfer --from lclu.yaml --to crops.yaml\n"
        f"  hieratk train {run_file} -o {out / 'again'} --set loss=flat-ce"
    )


def _transfer(out: Path, *, quiet: bool) -> None:
    """A model of two levels, moved to three."""
    from hieratk.commands.show import progress
    from hieratk.commands.transfer_work import carry_out
    from hieratk.config import read_run
    from hieratk.taxonomy.catalog import load
    from hieratk.training.fit import fit
    from hieratk.training.setup import prepare
    from hieratk.transfer.planning import plan

    source, target = load("indian_pines_cover"), load("indian_pines")
    with progress("    train the land cover", quiet=quiet) as advance:
        fit(
            prepare(read_run(out / "cover.yaml"), folder=out),
            out / "cover",
            on_step=lambda step: advance(step.number, step.of, f"loss {step.loss:.3f}"),
        )
    carry_out(
        plan(source, target),
        source,
        target,
        checkpoint=out / "cover",
        config=out / "transfer.yaml",
        output=out / "moved",
        overrides=[],
        resume=False,
        device="cpu",
        quiet=quiet,
    )


def _pictures(prepared: Prepared, scene: Scene, target: Path) -> list[Path]:
    """A PNG a level: the map, the truth, and the truth of the test blocks alone."""
    import numpy as np

    from hieratk.data.scenes import SceneReader
    from hieratk.prediction.legend import legend
    from hieratk.rasters import read
    from hieratk.report.pictures import Panel, picture, save
    from hieratk.taxonomy.tables import compile_tables

    tables = compile_tables(prepared.taxonomy)
    written = read(target)
    with SceneReader(scene, prepared.taxonomy) as reader:
        everywhere = reader.grid.window
        truth = tables.index[reader.rows(everywhere)]
    test = prepared.split.window(0, everywhere) == prepared.split.code("test")
    paths = []
    for level, band in enumerate(legend(prepared.taxonomy).bands):
        order = np.argsort(band.values)
        found = order[np.searchsorted(band.values[order], written[level]).clip(0, len(order) - 1)]
        predicted = np.where(band.values[found] == written[level], found, -1)
        known = np.where(truth[..., level] >= 0, truth[..., level], -1)
        panels = (
            Panel("map", predicted),
            Panel("truth", known),
            Panel("truth, test blocks only", np.where(test, known, -1)),
        )
        path = target.with_name(f"map_{band.level}.png")
        title = f"{prepared.taxonomy.title or prepared.taxonomy.id}: {band.level}"
        image = picture(panels, colors=band.colors, names=band.names, title=title, longest=440)
        save(path, image)
        paths.append(path)
    return paths
