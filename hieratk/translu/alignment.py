"""CDSA, cross-domain semantic alignment: what the frozen source says about a pixel, said to the target tree.

HieraRS names the step and no formula. Chosen here (docs/transfer.md): for every target class a that the plan relates to
a set of source classes, Q is the source's probability of that set and P the target's of a, both at every level that
can say them, and

    equal     Q log P + (1 - Q) log(1 - P)       both ways
    subset    (1 - Q) log(1 - P)                 a lies inside the set: what is not in the set is not a
    superset  Q log P                            a holds the set: what is in the set is a

with the minus of a cross-entropy. Q is a constant: the source learns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hieratk.errors import TransferError
from hieratk.taxonomy.tables import Tables
from hieratk.tensors import TaxonomyTensors
from hieratk.transfer.plan import TransferPlan

_TWO_SIDED = {"equal": (1.0, 1.0), "superset": (1.0, 0.0), "subset": (0.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Relation:
    """P of the target class `node` at `level` against Q of the source classes `aligned`.

    `target` are channels within the target's level, `source` channels within the source's level `source_level`;
    `positive` and `negative` weigh the two halves of the cross-entropy.
    """

    node: str
    level: int
    target: tuple[int, ...]
    source_level: int
    source: tuple[int, ...]
    positive: float
    negative: float


def relations(plan: TransferPlan, source: Tables, target: Tables) -> tuple[Relation, ...]:
    """What the plan states, channel by channel, for every level of the target that can say it.

    A class is said at its own level by one channel and below by all channels under it. The source's set is read at the
    coarsest level that can say it, since coarse levels are the surer ones. A relation that would hold for a whole level
    (the class that holds everything) says nothing and is left out.
    """
    found = []
    for row in plan.rows:
        if row.relation not in _TWO_SIDED or not row.aligned:
            continue
        heard = _expressed(source, row.aligned)
        if heard is None:
            continue
        positive, negative = _TWO_SIDED[row.relation]
        node = target.ids.index(row.node)
        for level in range(int(target.level[node]), len(target.sizes)):
            channels = _under(target, node, level)
            if len(channels) < target.sizes[level]:
                found.append(Relation(row.node, level, channels, *heard, positive, negative))
    return tuple(found)


class Alignment(nn.Module):
    """The alignment term of a plan: target logits (B, N_t, H, W), source logits (B, N_s, H, W) and a mask (B, H, W) of
    the pixels it may speak about -> scalar, the mean over these pixels and over the relations of each level, added up
    over levels. Zero where no pixel is left.

    Args:
        even: the gradient of P reaches all channels of its set alike, instead of by their share. With shares, the
            channel that leads takes the gain, and the sum can be met by one sibling taking all; evenly, the term moves
            a set as a whole and leaves its inner order to the labels (chosen).
        confidence: pixels count by |2 Q - 1| to this power: 0 counts all alike.
        shuffle: the negative control: at every level each class of the source is taken for the next one.

    Raises TransferError for a plan without a single relation.
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
    ) -> None:
        super().__init__()
        self.source, self.target = source, target
        self.even, self.confidence = even, confidence
        self.relations = relations(plan, source.tables, target.tables)
        if not self.relations:
            raise TransferError(
                f"the plan relates no class of `{plan.target.id}` to `{plan.source.id}` as equal, subset or superset, "
                "so there is nothing to align; set `transfer.alignment: 0`, or give a crosswalk"
            )
        self.levels = tuple(sorted({relation.level for relation in self.relations}))
        for level in self.levels:
            here = [relation for relation in self.relations if relation.level == level]
            members = torch.zeros(len(here), target.sizes[level])
            heard = torch.zeros(len(here), source.channels)
            for k, relation in enumerate(here):
                members[k, list(relation.target)] = 1
                first = int(source.tables.offsets[relation.source_level])
                size = source.sizes[relation.source_level]
                heard[k, [first + (channel + shuffle) % size for channel in relation.source]] = 1
            sides = torch.tensor([(relation.positive, relation.negative) for relation in here])
            for name, value in (("members", members), ("heard", heard), ("sides", sides)):
                self.register_buffer(f"{name}_{level}", value, persistent=False)

    def forward(self, logits: Tensor, source_logits: Tensor, where: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False), torch.no_grad():
            said = torch.cat([part.softmax(1) for part in self.source.split(source_logits.float())], 1)
            said = said.movedim(1, -1)[where]
        with torch.autocast(logits.device.type, enabled=False):
            total = logits.new_zeros((), dtype=torch.float32)
            for level in self.levels:
                z = self.target.split(logits)[level].float().movedim(1, -1)[where]
                q = (said @ self.get_buffer(f"heard_{level}").T).clamp(0, 1)
                total = total + self._level(level, z, q)
        return total

    def _level(self, level: int, z: Tensor, q: Tensor) -> Tensor:
        """The mean over pixels (n) and relations (K) of logits z (n, C) and source probabilities q (n, K)."""
        members, sides = self.get_buffer(f"members_{level}"), self.get_buffer(f"sides_{level}")
        odds = self._odds(z, members)
        terms = sides[:, 0] * q * F.softplus(-odds) + sides[:, 1] * (1 - q) * F.softplus(odds)
        if self.confidence:
            terms = terms * (2 * q - 1).abs() ** self.confidence
        return terms.sum() / max(terms.numel(), 1)

    def _odds(self, z: Tensor, members: Tensor) -> Tensor:
        """(n, K) log P - log(1 - P) of each set of channels."""
        return self._together(z, members) - self._together(z, 1 - members)

    def _together(self, z: Tensor, members: Tensor) -> Tensor:
        """(n, K) log of the sum of exp(z) over each set."""
        if not self.even:
            return _log_sum(z, members)
        middle = z @ (members / members.sum(1, keepdim=True)).T
        return middle + (_log_sum(z.detach(), members) - middle.detach())


def _log_sum(z: Tensor, members: Tensor) -> Tensor:
    # One maximum a pixel, not a set: a set whose members all lie 80 below the best is rounded to that, which no
    # softplus of the difference can tell from the truth.
    top = z.detach().amax(1, keepdim=True)
    return ((z - top).clamp(min=-80).exp() @ members.T).log() + top


def _expressed(tables: Tables, ids: Sequence[str]) -> tuple[int, tuple[int, ...]] | None:
    """The coarsest level whose classes can be put together to the union of these, with their channels."""
    leaves: set[int] = set()
    for id_ in ids:
        if id_ in tables.ids:
            first, end = tables.leaf_span[tables.ids.index(id_)]
            leaves.update(range(int(first), int(end)))
    if not leaves:
        return None
    for level in range(len(tables.sizes)):
        at = tables.level_of_leaf(level)
        inside = {int(at[leaf]) for leaf in leaves}
        if all(int(at[leaf]) not in inside for leaf in set(range(len(tables.leaves))) - leaves):
            return level, tuple(sorted(inside))
    return None


def _under(tables: Tables, node: int, level: int) -> tuple[int, ...]:
    """Channels within a level that lie under a class, or are it."""
    first, end = (int(x) for x in tables.leaf_span[node])
    return tuple(sorted({int(c) for c in tables.level_of_leaf(level)[first:end]}))
