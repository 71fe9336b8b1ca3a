"""What `hieratk transfer --checkpoint` does and prints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hieratk.taxonomy.tree import Taxonomy
    from hieratk.training.transfer import Carried
    from hieratk.transfer.plan import TransferPlan


def carry_out(
    plan: TransferPlan,
    source: Taxonomy,
    target: Taxonomy,
    *,
    checkpoint: Path,
    config: Path,
    output: Path | None,
    overrides: list[str],
    resume: bool,
    device: str,
    quiet: bool,
) -> None:
    """Train the target of a plan and print what it brought, by level and by class."""
    from hieratk.checkpoints import open_checkpoint
    from hieratk.commands.show import progress, say, warn
    from hieratk.commands.work import choose_device
    from hieratk.config import read_run
    from hieratk.training.fit import Step
    from hieratk.training.schema import check_plugins
    from hieratk.training.setup import prepare
    from hieratk.training.transfer import carry_out as train
    from hieratk.training.transfer import prepared_run

    opened = open_checkpoint(checkpoint)
    opened.require(source)
    run = read_run(config, overrides)
    check_plugins(config, run.run)
    run = prepared_run(run, opened)
    folder = output or Path("runs") / f"{source.id}_to_{target.id}"
    prepared = prepare(run, folder=folder)
    for message in prepared.survey.warnings:
        warn(message)
    say(prepared.survey.summary(), quiet=quiet)
    if prepared.run.run.labels is not None:
        say(f"of these labelled for training: {prepared.labelled.survey.labelled('train'):,} pixels", quiet=quiet)
    with progress("transfer", quiet=quiet) as advance:

        def on_step(step: Step) -> None:
            advance(step.number, step.of, f"loss {step.loss:.3f}")

        done = train(plan, opened, prepared, folder, resume=resume, device=choose_device(device), on_step=on_step)
    _print(done, target)
    say(
        f"checkpoint: {folder}, with the source's in {folder / 'source'}\n"
        f"next: hieratk predict {folder} scene.tif -o map.tif (--tree {source.id} for the tree it came from)",
        quiet=quiet,
    )


def _print(done: Carried, target: Taxonomy) -> None:
    """Scores before and after on the target's test split, levels first, then classes under their levels."""
    lines = [("", "before", "after", "pixels")]
    for name, after in done.after.levels.items():
        before = done.before.levels[name]
        lines.append((f"{name} OA", _percent(before.oa), _percent(after.oa), f"{after.pixels:,}"))
        lines.append((f"{name} mIoU", _percent(before.miou), _percent(after.miou), ""))
    for name, after in done.after.levels.items():
        lines.append((f"{name}, IoU of", "", "", ""))
        for id_, value in after.iou.items():
            if after.support[id_]:
                was = done.before.levels[name].iou[id_]
                lines.append((f"  {target[id_].name}", _percent(was), _percent(value), f"{after.support[id_]:,}"))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for first, *rest in lines:
        print(
            f"{first:<{widths[0]}}  "
            + "  ".join(f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        )
    state = "answers as before, bit for bit" if done.source_unchanged else "HAS CHANGED: this is a fault of hieratk"
    print(f"the source branch {state}")


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"
