"""CDSA, cross-domain semantic alignment: what the frozen source says about a pixel, said to the target tree.

HieraRS names the step and no formula. Chosen here (docs/transfer.md): the plan says which classes of the two trees may
share ground. A source class b is then, to the target, a label that is a set: the classes A_b that may share ground with
b. The source gives each b a probability Q_b, and the term is the likelihood of that uncertain label,

    L = - sum_b Q_b log P(A_b),        P(A) = the sum of the target's probabilities over A

at every level of the target. Q is a constant: the source learns nothing. Equal classes, a class within another one, one
that holds another, one that overlaps: each is a set, none a case of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hieratk.decoding import LEVELS
from hieratk.errors import TransferError
from hieratk.taxonomy.tables import Tables
from hieratk.tensors import TaxonomyTensors
from hieratk.transfer.plan import TransferPlan

Bools = NDArray[np.bool_]


def may_share(plan: TransferPlan, source: Tables, target: Tables) -> Bools:
    """(V_target, V_source) which leaves of the two trees may share ground, as far as the rows of a plan exclude it.

    A class that is equal to source classes, or lies inside them, meets nothing else; what a class holds meets nothing
    outside that class. `overlap` and `none` exclude nothing. A target leaf of which all is excluded, as an edited plan
    may have it, is taken to meet anything.
    """
    found = np.ones((len(target.leaves), len(source.leaves)), bool)
    for row in plan.rows:
        theirs = _below(source, row.aligned)
        if not theirs.any():
            continue
        ours = _below(target, (row.node,))
        if row.relation in ("equal", "subset"):
            found[np.ix_(ours, ~theirs)] = False
        if row.relation in ("equal", "superset"):
            found[np.ix_(~ours, theirs)] = False
    found[~found.any(1)] = True
    return found


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one level of the target can hear from the source.

    Attributes:
        level, source_level: the level of the target, and the coarsest of the source that tells all parts apart: coarse
            levels are the surer ones.
        groups: (G, C) bool, target channels of the level that mean the same to the source, and are moved as one.
        parts: (K, C_source) bool, source channels of its level that allow the same.
        allowed: (K, G) bool, A_b: the groups that may share ground with a part.
    """

    level: int
    source_level: int
    groups: Bools
    parts: Bools
    allowed: Bools


def hearings(plan: TransferPlan, source: Tables, target: Tables) -> tuple[Hearing, ...]:
    """What a plan lets each level of the target hear; a level to which all source classes allow all is left out."""
    leaves = may_share(plan, source, target)
    found = []
    for level, size in enumerate(target.sizes):
        meets = np.zeros((size, leaves.shape[1]), bool)
        np.logical_or.at(meets, target.level_of_leaf(level), leaves)
        group, groups = _alike(meets)
        part, parts = _alike(meets[group].T)
        allowed = meets[np.ix_(group, part)].T
        telling = allowed.any(1) & ~allowed.all(1)
        if telling.any():
            at, channels = _coarsest(source, parts[telling])
            found.append(Hearing(level, at, groups, channels, allowed[telling]))
    return tuple(found)


class Alignment(nn.Module):
    """The alignment term of a plan: target logits (B, N_t, H, W), source logits (B, N_s, H, W) and a mask (B, H, W) of
    the pixels it may speak about -> scalar float32, the mean over these pixels, added up over levels. Zero where no
    pixel is left.

    Args:
        even: the gradient reaches all classes that mean the same to the source alike, instead of by their share. With
            shares, the class that leads takes the gain, and the label is met by one sibling taking all; evenly, the
            term moves the siblings as one and leaves their order to the labels (chosen).
        confidence: pixels count by the largest Q to this power: 0 counts all alike.
        shuffle: the negative control: at every level each class of the source is taken for the next one.
        decoding, source_decoding: how the logits of the target and of the source are read
            (`hieratk.decoding.LEVELS`).

    Raises TransferError for a plan that excludes nothing.
    """

    def __init__(
        self,
        plan: TransferPlan,
        source: TaxonomyTensors,
        target: TaxonomyTensors,
        *,
        even: bool = True,
        confidence: float = 0.0,
        shuffle: bool = False,
        decoding: str = "best_path",
        source_decoding: str = "best_path",
    ) -> None:
        super().__init__()
        self._said, self._heard = LEVELS[source_decoding], LEVELS[decoding]
        self.source, self.target = source, target
        self.even, self.confidence = even, confidence
        self.hearings = hearings(plan, source.tables, target.tables)
        if not self.hearings:
            raise TransferError(
                f"the plan relates no class of `{plan.target.id}` to `{plan.source.id}` as equal, subset or superset, "
                "so there is nothing to align; set `transfer.alignment: 0`, or give a crosswalk"
            )
        for hearing in self.hearings:
            parts = np.roll(hearing.parts, 1, axis=1) if shuffle else hearing.parts
            for name, table in (("groups", hearing.groups), ("parts", parts), ("allowed", hearing.allowed)):
                value = torch.tensor(table, dtype=torch.float32)
                self.register_buffer(f"{name}_{hearing.level}", value, persistent=False)

    def forward(self, logits: Tensor, source_logits: Tensor, where: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            total = logits.new_zeros((), dtype=torch.float32)
            heard = self._heard(self.target, _pixels(logits, where))
            said = self._said(self.source, _pixels(source_logits.detach(), where))
            for hearing in self.hearings:
                q = said[hearing.source_level].exp()[0].T @ self.get_buffer(f"parts_{hearing.level}").T
                total = total + self._level(hearing.level, heard[hearing.level][0].T, q)
        return total

    def _level(self, level: int, z: Tensor, q: Tensor) -> Tensor:
        """The mean over pixels (n): log-probabilities z (n, C) of a level, probabilities q (n, K) of its parts."""
        groups, allowed = self.get_buffer(f"groups_{level}"), self.get_buffer(f"allowed_{level}")
        together = _log_sum(z, groups)
        if self.even:
            middle = z @ (groups / groups.sum(1, keepdim=True)).T
            together = middle + (together - middle).detach()
        terms = -(q * _log_sum(together.log_softmax(1), allowed)).sum(1)
        if self.confidence:
            terms = terms * q.amax(1) ** self.confidence
        return terms.sum() / max(len(terms), 1)


def _pixels(logits: Tensor, where: Tensor) -> Tensor:
    """(1, N, n) float32: the logits (B, N, H, W) of the pixels of a mask (B, H, W)."""
    return logits.movedim(1, -1)[where].float().T.unsqueeze(0)


def _log_sum(z: Tensor, members: Tensor) -> Tensor:
    """(n, K) the log of the sum of exp(z) over each set, for z (n, C) and sets (K, C)."""
    # One maximum a pixel, not a set: a set whose members all lie 80 below the best counts as that far below.
    top = z.detach().amax(1, keepdim=True)
    return ((z - top).clamp(min=-80).exp() @ members.T).log() + top


def _below(tables: Tables, ids: tuple[str, ...]) -> Bools:
    """(V,) the leaves under classes; ids that are not predicted have none."""
    found = np.zeros(len(tables.leaves), bool)
    for id_ in ids:
        if id_ in tables.ids:
            first, end = tables.leaf_span[tables.ids.index(id_)]
            found[int(first) : int(end)] = True
    return found


def _alike(rows: Bools) -> tuple[NDArray[np.int64], Bools]:
    """(G,) the first row of each kind of equal rows, and (G, rows) bool which rows are of that kind."""
    _, first, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, np.arange(len(first))[:, None] == kind.reshape(1, -1)


def _coarsest(tables: Tables, parts: Bools) -> tuple[int, Bools]:
    """The coarsest level whose classes each lie wholly in or out of every part (K, V), and the parts there."""
    for level, size in enumerate(tables.sizes):
        at = tables.level_of_leaf(level)
        channels = np.zeros((len(parts), size), bool)
        np.logical_or.at(channels.T, at, parts.T)
        if (channels[:, at] == parts).all():
            return level, channels
    raise AssertionError("the finest level tells all leaves apart")
