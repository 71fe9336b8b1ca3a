"""Dynamic category expansion: the rows of a node head for another tree, started from the rows of the old one.

HieraRS names the step and no formula; what is below is our choice (docs/transfer.md), in the order of the method notes:
kept rows are copied bit for bit, a new class starts from the rows that its plan names, and what shares a row with
siblings gives up its part of the probability.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hieratk.heads import NodeHead
from hieratk.taxonomy.tables import Tables
from hieratk.transfer.plan import PlanRow, TransferPlan

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Expansion:
    """Which source channels start which target channel: entry e adds `weight[e]` times source channel `source[e]` to
    target channel `target[e]`; (E,) each, sorted by target.

    Attributes:
        shift: (N_target,) is added to the bias. noise: (N_target,) standard deviation of what is added to the weights,
            relative to the root mean square of the row.
        fresh: (N_target,) bool, True where nothing starts the channel. keys: (N_target,) text that noise is drawn by,
            so that a class starts the same whatever else is added with it.
    """

    target: Ints
    source: Ints
    weight: Floats
    shift: Floats
    noise: Floats
    fresh: NDArray[np.bool_]
    keys: tuple[str, ...]


def expansion(plan: TransferPlan, source: Tables, target: Tables, *, along_paths: bool = False) -> Expansion:
    """The plan's rows in channels of both heads.

    A class has one channel at its own level and, where it ends above the last level, carried copies below. A copy
    starts from the copy at the same distance; where the two trees share their first levels, from the same level.

    The shift of a channel that is not kept is -sum_s w_s log M_s, where M_s adds up the weights with which source
    channel s starts channels of that level: k siblings out of one row get -log k each, so the level's probability of
    all of them together is that of the row they come from; one class out of m rows gets +log m (chosen: mass is kept
    exactly for a split, and up to Jensen's inequality for a merge).

    `along_paths` is for a target whose logits add up along paths, so that these sums keep the mass: a channel is not
    started again from a row that the one above it has in its sum, and its shift is what is left of -log k after that of
    the one above (chosen; exact where a path of the target has the rows of one path of the source).
    """
    rows = {row.node: row for row in plan.rows}
    shared = _shared_levels(source, target)
    channels = _channels(source)
    entries: list[tuple[int, int, float]] = []
    keys: list[str] = []
    kept, noise = np.zeros(target.channels, bool), np.zeros(target.channels)
    for level, (first, end) in enumerate(zip(target.offsets[:-1], target.offsets[1:], strict=True)):
        for channel in range(int(first), int(end)):
            node = int(target.node[channel])
            row = rows[target.ids[node]]
            copy = level - int(target.level[node])
            keys.append(f"{row.node}/{copy}")
            kept[channel], noise[channel] = row.action == "keep", row.noise
            for id_, part in _starts(row, rows):
                own = channels[id_]
                wanted = level if level < shared else own[0][0] + copy
                nearest = min(own, key=lambda pair: (abs(pair[0] - wanted), pair[0]))
                entries.append((channel, nearest[1], part))
    found = np.array([entry[:2] for entry in entries], np.int64).reshape(-1, 2)
    weight = np.array([entry[2] for entry in entries])
    shift = np.where(kept, 0.0, _shift(found, weight, source.channels, target))
    fresh = np.bincount(found[:, 0], minlength=target.channels) == 0
    if along_paths:
        above = _above(target)
        there = set(entries)
        rest = [e for e, (channel, row, part) in enumerate(entries) if (above[channel], row, part) not in there]
        found, weight = found[rest], weight[rest]
        shift = np.where(kept | (above < 0), shift, shift - shift[above])
    return Expansion(found[:, 0], found[:, 1], weight, shift, np.where(kept, 0.0, noise), fresh, tuple(keys))


def expand_head(head: NodeHead, how: Expansion, *, seed: int = 0) -> NodeHead:
    """A new head for the target tree; the old one is not touched. Kept rows are equal bit for bit.

    Rows that nothing starts are drawn as a new head's are (Xavier, bias 0), each from a generator seeded by `seed` and
    its class alone.
    """
    old = head.classify
    assert old.bias is not None
    new = NodeHead(old.in_channels, len(how.fresh), dropout=head.dropout.p)
    with torch.no_grad():
        weight = _gather(old.weight, how)
        bias = _gather(old.bias, how) + torch.from_numpy(how.shift).to(old.bias)
        bound = (6 / (old.in_channels + len(how.fresh))) ** 0.5
        for channel in np.flatnonzero(how.fresh | (how.noise > 0)):
            random = torch.Generator().manual_seed(_seed(seed, how.keys[channel]))
            if how.fresh[channel]:
                draw = torch.rand(weight.shape[1:], generator=random) * 2 - 1
                weight[channel] = (bound * draw).to(weight)
            else:
                draw = torch.randn(weight.shape[1:], generator=random)
                size = weight[channel].square().mean().sqrt()
                weight[channel] += (how.noise[channel] * size * draw).to(weight)
        new.classify.weight.copy_(weight)
        assert new.classify.bias is not None
        new.classify.bias.copy_(bias)
    return new.to(device=old.weight.device, dtype=old.weight.dtype)


def expand_moments(moments: Tensor, how: Expansion) -> Tensor:
    """Optimiser state (N_source, ...) of the head's weight or bias for the new head (N_target, ...).

    What a kept row has gathered goes with it; the rest starts at zero, as a new parameter does.
    """
    found = moments.new_zeros((len(how.fresh), *moments.shape[1:]))
    for target, source, weight in zip(how.target, how.source, how.weight, strict=True):
        if weight == 1 and how.noise[target] == 0 and how.shift[target] == 0:
            found[target] = moments[source]
    return found


def _gather(rows: Tensor, how: Expansion) -> Tensor:
    found = rows.new_zeros((len(how.fresh), *rows.shape[1:]))
    weight = torch.from_numpy(how.weight).to(rows).view(-1, *(1,) * (rows.ndim - 1))
    source = torch.from_numpy(how.source).to(rows.device)
    return found.index_add_(0, torch.from_numpy(how.target).to(rows.device), rows[source] * weight)


def _starts(row: PlanRow, rows: dict[str, PlanRow]) -> tuple[tuple[str, float], ...]:
    """The source rows that start a class; a class that names none starts as the one it hangs below does."""
    while not row.start and row.action == "new" and row.under is not None and row.reason == "parent":
        row = rows[row.under]
    return row.start


def _above(tables: Tables) -> Ints:
    """(N,) the channel one level above that holds each channel, -1 on the first level."""
    parts = [up + first for up, first in zip(tables.up, tables.offsets[:-2], strict=True)]
    return np.concatenate([np.full(tables.sizes[0], -1), *parts]).astype(np.int64)


def _channels(tables: Tables) -> dict[str, list[tuple[int, int]]]:
    """(level, channel) pairs of every class, its own first."""
    found: dict[str, list[tuple[int, int]]] = {id_: [] for id_ in tables.ids}
    for level, (first, end) in enumerate(zip(tables.offsets[:-1], tables.offsets[1:], strict=True)):
        for channel in range(int(first), int(end)):
            found[tables.ids[int(tables.node[channel])]].append((level, channel))
    return {id_: sorted(pairs, key=lambda pair: (tables.carried[pair[1]], pair[0])) for id_, pairs in found.items()}


def _shared_levels(source: Tables, target: Tables) -> int:
    """How many levels both trees begin with: all of the shorter, or none."""
    n = min(len(source.level_names), len(target.level_names))
    return n if source.level_names[:n] == target.level_names[:n] else 0


def _shift(found: Ints, weight: Floats, n_source: int, target: Tables) -> Floats:
    if not len(found):
        return np.zeros(target.channels)
    level = np.searchsorted(target.offsets, found[:, 0], side="right") - 1
    key = level * n_source + found[:, 1]
    mass = np.bincount(key, weight)[key]
    # A mass of exactly 1 must give exactly 0, or rows that nobody shares would not be copies.
    shift = np.where(mass == 1, 0.0, -weight * np.log(mass))
    return np.bincount(found[:, 0], shift, minlength=target.channels).astype(np.float64)


def _seed(seed: int, key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{key}".encode()).digest()[:7], "big")
