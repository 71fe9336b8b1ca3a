"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from hieratk.checkpoints import open_checkpoint, restore, save
from hieratk.config import Schedule
from hieratk.data.augment import Augmentation, augment
from hieratk.data.chips import ChipSampler, batches
from hieratk.data.scenes import SceneReader
from hieratk.errors import CheckpointError, DataError
from hieratk.models import HierarchicalModel
from hieratk.training.course import Course, Supervised
from hieratk.training.evaluate import Scores, evaluate_model
from hieratk.training.prototypes import prototypes
from hieratk.training.setup import Prepared


@dataclass(frozen=True, slots=True)
class Step:
    """What a step tells: its number (1 is the first), the loss, the learning rate, seconds since the start."""

    number: int
    of: int
    loss: float
    lr: float
    seconds: float
    validation: Scores | None = None


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal after a whole step; its state is saved."""

    def __init__(self, folder: Path, step: int) -> None:
        super().__init__(f"stopped after step {step}; go on with --resume -o {folder}")
        self.step = step


def fit(
    prepared: Prepared,
    folder: Path,
    *,
    resume: bool = False,
    device: str | torch.device = "cpu",
    on_step: Callable[[Step], None] | None = None,
    course: Course | None = None,
) -> Path:
    """Train the model of a run and write its checkpoint into `folder`; returns `folder`.

    `course` says what is trained and on which loss; without one, the run's model on the run's loss.

    Every step's chips, augmentation and dropout follow from the seed and the step's number alone, so the same run
    gives the
    same weights bit for bit on the same machine's CPU, whether or not it was interrupted and resumed in between.
    The optimiser is AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101); norms and biases are not decayed.

    Raises DataError for a split without labels, CheckpointError where `folder` holds another run; on Ctrl-C or
    SIGTERM the step under way is finished, the state saved and `Interrupted` raised.
    """
    run, schedule = prepared.run.run, prepared.run.run.schedule
    course = course or Supervised(prepared)
    labelled = prepared.labelled
    labelled.survey.require("train")
    if schedule.validate_every:
        prepared.survey.require("val")
    sampler = ChipSampler(
        labelled.survey,
        labelled.split,
        chip=schedule.chip,
        batch=schedule.batch,
        seed=run.seed,
        balance=schedule.balance,
    )
    with torch.random.fork_rng(devices=[]), _deterministic(), _stop_signals() as stopped:
        torch.manual_seed(run.seed)
        model = course.model().to(device)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch states no overload for it alone
        optimizer = torch.optim.AdamW(_groups(course.rates(model), schedule), lr=schedule.lr)
        first = _resume(prepared, folder, model, optimizer) if resume else _fresh(folder)
        statistics = prepared.survey.statistics
        changes = Augmentation(**run.augment.model_dump())
        points = labelled.points or (None,) * len(prepared.scenes)
        readers = [
            SceneReader(scene, prepared.taxonomy, points=known)
            for scene, known in zip(prepared.scenes, points, strict=True)
        ]
        start = time.monotonic()

        def keep(step: int) -> None:
            found = None
            if step == schedule.steps:
                found = prototypes(model, prepared.taxonomy, sampler, readers, statistics, first_step=step)
                model.train()
            save(
                folder,
                model=model,
                optimizer=optimizer,
                taxonomy=prepared.taxonomy,
                run=prepared.run,
                step=step,
                bands=prepared.bands,
                statistics=statistics,
                band_names=prepared.survey.band_names,
                prototypes=found,
            )

        try:
            model.train()
            course.begin(model, first)
            stream = batches(sampler, readers, statistics, first_step=first, last_step=schedule.steps)
            for step, (images, rows) in enumerate(stream, start=first):
                torch.manual_seed(_mix(run.seed, step))
                images, rows = augment(images, rows, seed=_mix(run.seed, step), options=changes)
                lr = learning_rate(schedule, step)
                for group in optimizer.param_groups:
                    group["lr"] = lr * group["rate"]
                images = images.to(device, memory_format=torch.channels_last)
                with torch.autocast(images.device.type, torch.bfloat16, enabled=schedule.precision == "bfloat16"):
                    value = course.loss(model, images, rows.to(device), step)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(value)
                if schedule.clip is not None:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
                _finite(value, step)
                optimizer.step()

                done = step + 1
                validation = None
                if schedule.validate_every and done % schedule.validate_every == 0:
                    validation = evaluate_model(model, prepared, split="val", device=device)
                    model.train()
                if on_step is not None:
                    on_step(Step(done, schedule.steps, value.item(), lr, time.monotonic() - start, validation))
                if done % schedule.save_every == 0 or done == schedule.steps or stopped.is_set():
                    keep(done)
                if stopped.is_set() and done < schedule.steps:
                    raise Interrupted(folder, done)
        finally:
            course.end()
            for reader in readers:
                reader.close()
    return folder


def learning_rate(schedule: Schedule, step: int) -> float:
    """The learning rate of a step (0 is the first): a linear climb over `warmup` steps, then half a cosine down."""
    if step < schedule.warmup:
        return schedule.lr * (step + 1) / schedule.warmup
    rest = max(schedule.steps - schedule.warmup, 1)
    fallen = 0.5 * (1 + math.cos(math.pi * (step - schedule.warmup) / rest))
    return schedule.lr * (schedule.final_lr + (1 - schedule.final_lr) * fallen)


def _groups(rates: Iterator[tuple[torch.nn.Parameter, float]], schedule: Schedule) -> list[dict[str, object]]:
    """Weights of convolutions and linear maps decay; norms and biases, which have one axis, do not."""
    groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
    for parameter, rate in rates:
        groups.setdefault((rate, parameter.ndim > 1), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": schedule.weight_decay if decays else 0.0, "rate": rate}
        for (rate, decays), parameters in groups.items()
    ]


def _resume(prepared: Prepared, folder: Path, model: HierarchicalModel, optimizer: torch.optim.Optimizer) -> int:
    if not (folder / "checkpoint.json").exists():
        return 0
    checkpoint = open_checkpoint(folder)
    checkpoint.require(prepared.taxonomy)
    before, now = checkpoint.run.run, prepared.run.run
    if before != now:
        keys = [key for key in type(now).model_fields if getattr(before, key) != getattr(now, key)]
        raise CheckpointError(
            f"{folder} was trained with another run file: {', '.join(f'`{key}`' for key in keys)} changed; "
            "resume with the same settings, or train into another folder"
        )
    if checkpoint.step < now.schedule.steps:
        restore(checkpoint, model, optimizer)
    return checkpoint.step


def _fresh(folder: Path) -> int:
    if (folder / "checkpoint.json").exists():
        raise CheckpointError(f"{folder} holds a checkpoint already; go on with --resume, or choose another folder")
    return 0


def _finite(value: Tensor, step: int) -> None:
    if not torch.isfinite(value):
        raise DataError(
            f"the loss is {value.item()} at step {step + 1}; lower `schedule.lr`, or check the image's scale"
        )


def _mix(seed: int, step: int) -> int:
    """One well-spread 63-bit seed from two numbers (the finaliser of splitmix64, Steele et al. 2014)."""
    mask = 2**64 - 1
    z = (seed * 0x9E3779B97F4A7C15 + step * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) >> 1


@contextmanager
def _deterministic() -> Iterator[None]:
    before, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second SIGINT interrupts at once, as Python does by
    itself.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stopped.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
