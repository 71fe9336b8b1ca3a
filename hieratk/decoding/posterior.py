"""One distribution over the leaves from node logits: what every decoder that weighs risks starts from.

A `Posterior` is a function `(logits (B, N, ...), tree) -> (B, V, ...)` probabilities of the leaves, float32 (float64
for float64 logits). The probability of an inner class is the sum over the leaves below it, so all levels agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from hieratk.errors import ConfigError
from hieratk.kernels import threads
from hieratk.losses.probabilities import of_siblings, sum_up
from hieratk.tensors import TaxonomyTensors

Posterior: TypeAlias = Callable[[Tensor, TaxonomyTensors], Tensor]


def path_posterior(logits: Tensor, tree: TaxonomyTensors, *, level_weights: Sequence[float] | None = None) -> Tensor:
    """softmax over leaves of sum_l a_l z^l[class of the leaf at l], a_l = 1 unless given: its mode is `best_path`.

    With a_l = 1 the distribution that `bhccm` trains. After losses that give each level a softmax of its own it is the
    product of these, renormalised over the paths there are, and too sure, as the levels see the same pixel and each
    counts in full; `tempered` with fitted temperatures corrects that (docs/calibration.md). Raises ConfigError for a
    wrong number of weights.
    """
    return path_scores(logits, tree, level_weights=level_weights).softmax(1)


def leaf_posterior(logits: Tensor, tree: TaxonomyTensors) -> Tensor:
    """softmax of the leaf level alone: the distribution that the marginal loss trains."""
    leaves = tree.split(logits)[-1]
    return leaves.to(_real(leaves)).softmax(1)


def sibling_posterior(logits: Tensor, tree: TaxonomyTensors) -> Tensor:
    """The product of softmaxes among siblings along each path: the distribution that the conditional loss trains."""
    flat = logits.to(_real(logits)).reshape(*logits.shape[:2], -1)
    leaves = of_siblings(tree, flat)[-1].exp()
    return leaves.reshape(leaves.shape[0], -1, *logits.shape[2:])


def tempered(temperatures: Sequence[float]) -> Posterior:
    """`path_posterior` with the logits of level l divided by `temperatures[l]`."""
    return partial(path_posterior, level_weights=[1.0 / t for t in temperatures])


def path_scores(logits: Tensor, tree: TaxonomyTensors, *, level_weights: Sequence[float] | None = None) -> Tensor:
    """(B, V, ...) sum_l a_l z^l[class of the leaf at l], in float32 at least, one addition a channel."""
    weights = _weights(tree, level_weights)
    dtype = _real(logits)
    score: Tensor | None = None
    for i, level in enumerate(tree.split(logits)):
        if score is None:
            score = level.to(dtype) * weights[i] if weights[i] != 1 else level.to(dtype)
        else:
            score = score.index_select(1, tree.up(i)).add_(level, alpha=weights[i])
    assert score is not None
    return score


def level_probabilities(leaves: Tensor, tree: TaxonomyTensors) -> list[Tensor]:
    """For each level (B, C_l, ...): leaf probabilities (B, V, ...) summed into the classes that hold them.

    A class is never more probable than the one above it, in floating point too: sums of non-negative numbers round
    monotonically. Cost is linear in the number of channels.
    """
    found = [leaves]
    for i in range(tree.n_levels - 1, 0, -1):
        found.append(sum_up(tree, found[-1], i))
    return found[::-1]


def by_chunks(decode: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    """`decode` maps logits (B, N, p) to (B, K, p); it is called on few pixels at a time, so that the working set stays
    in the cache of a CPU and memory does not grow with the number of nodes times pixels. Returns (B, K, ...), without
    gradient.

    On a CPU the pieces run side by side, each on one thread (`hieratk.kernels.threads`): `decode` is called from
    several of them at once.
    """
    pixels = math.prod(logits.shape[2:])
    flat = logits.detach().reshape(*logits.shape[:2], pixels)
    here = logits.device.type == "cpu" and not torch.compiler.is_compiling()
    size = max(1 << 8, (1 << 18 if here else 1 << 26) // max(1, flat.shape[0] * flat.shape[1]))
    pieces = [partial(decode, flat[..., start : start + size]) for start in range(0, max(pixels, 1), size)]
    found = torch.cat(threads.run_all(pieces, min(threads.width(), len(pieces)) if here else 1), 2)
    return found.reshape(*found.shape[:2], *logits.shape[2:])


def _real(logits: Tensor) -> torch.dtype:
    return torch.promote_types(logits.dtype, torch.float32)


def _weights(tree: TaxonomyTensors, weights: Sequence[float] | None) -> tuple[float, ...]:
    if weights is None:
        return (1.0,) * tree.n_levels
    if len(weights) != tree.n_levels:
        names = ", ".join(tree.tables.level_names)
        raise ConfigError(f"{len(weights)} level_weights for {tree.n_levels} levels ({names}); give one a level")
    return tuple(float(w) for w in weights)
