"""How often each class occurs in the training labels, and logits that need not say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hieratk.data.split import Split
from hieratk.data.survey import Survey
from hieratk.errors import ConfigError
from hieratk.taxonomy.tables import Tables


def log_priors(survey: Survey, tables: Tables, *, given_parent: bool = False) -> Tensor:
    """(N,) float32: the logarithm of each channel's share of the training pixels that are labelled at its level; or,
    `given_parent`, of those that lie in its parent too. The sum of the latter along a path is the logarithm of the
    leaf's share, where all labels are leaves.

    A class without a training pixel gets 0, the largest a logarithm of a share can be: nothing then favours it.
    """
    counts = survey.counts[Split.code("train")]
    found = np.zeros(tables.channels)
    for level, (first, end) in enumerate(zip(tables.offsets[:-1], tables.offsets[1:], strict=True)):
        known = tables.index[:, level] >= 0
        pixels = np.bincount(tables.index[known, level], counts[known], minlength=end - first)
        of = np.bincount(tables.up[level - 1], pixels)[tables.up[level - 1]] if given_parent and level else pixels.sum()
        share = pixels / np.maximum(of, 1)
        found[first:end] = np.log(share, where=share > 0, out=np.zeros_like(share))
    return torch.tensor(found, dtype=torch.float32)


class LogitAdjustment:
    """Adds tau log(prior) to the logits that the loss sees, and only there.

    The network then explains what the image adds to how common a class is; at prediction, without the addend, rare
    classes are no longer outvoted (Menon et al. 2021, "Long-tail learning via logit adjustment", eq. 10, known; used
    here for every level's logits at once, chosen). tau = 0 changes nothing, 1 aims at equal weight for all classes: of
    each level where every level has its own softmax, of the leaves where logits add up along paths and priors are those
    given the parent.

    `tau` is one number, or one a level, coarse to fine: a rare class that stands alone at a coarse level can be helped
    there while the finer levels stay near their priors. Raises ConfigError for another number of levels.
    """

    def __init__(self, log_prior: Tensor, tables: Tables, *, tau: float | Sequence[float]) -> None:
        each = [tau] * len(tables.sizes) if isinstance(tau, int | float) else list(tau)
        if len(each) != len(tables.sizes):
            raise ConfigError(
                f"schedule.logit_adjustment has {len(each)} numbers for {len(tables.sizes)} levels "
                f"({', '.join(tables.level_names)}); give one number, or one a level"
            )
        factors = torch.repeat_interleave(torch.tensor(each, dtype=torch.float32), torch.tensor(tables.sizes))
        self._shift = factors * log_prior if any(each) else None

    def __call__(self, logits: Tensor) -> Tensor:
        """Logits (B, N, H, W) as the loss shall see them."""
        if self._shift is None:
            return logits
        # In float32 at least: the addend of a rare class is finer than what a bfloat16 logit can hold.
        return logits.to(torch.promote_types(logits.dtype, torch.float32)) + self._shift.to(logits.device).view(
            1, -1, 1, 1
        )
