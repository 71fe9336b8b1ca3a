"""The second half of CDSA: features of a labelled target pixel stay near what the source class looks like.

L_pro = mean over labelled pixels with an aligned class of 1 - cos(f_t, mu_s), where mu_s is the mean source feature
of the aligned classes (chosen after the method notes 5.3, without their projection: the target net begins as the
source's, so features are in one space; HieraRS gives no formula).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hieratk.errors import TransferError
from hieratk.tensors import TaxonomyTensors
from hieratk.transfer.plan import TransferPlan


class PrototypeTerm(nn.Module):
    """Features (B, C, H, W) and labels (B, L, H, W) of the target -> scalar; 0 where no labelled class is aligned.

    `means` (M_source, C_source) are the source checkpoint's prototypes; a class without a pixel (all zeros) is left
    out. A labelled pixel follows the finest class of its path that the plan aligns.

    Raises TransferError where the two nets' decoders give different numbers of channels.
    """

    wanted: Tensor
    has: Tensor
    node: Tensor

    def __init__(
        self, plan: TransferPlan, means: Tensor, source: TaxonomyTensors, target: TaxonomyTensors, *, channels: int
    ) -> None:
        super().__init__()
        if means.shape[1] != channels:
            raise TransferError(
                f"the source's prototypes have {means.shape[1]} channels, the target's decoder {channels}; give both "
                "the same model, or set `transfer.prototypes: 0`"
            )
        self.target = target
        at = {id_: m for m, id_ in enumerate(source.tables.ids)}
        tables = target.tables
        wanted = torch.zeros(len(tables.ids), means.shape[1])
        has = torch.zeros(len(tables.ids), dtype=torch.bool)
        for m, id_ in enumerate(tables.ids):
            rows = [means[at[other]] for other in plan[id_].aligned if other in at and means[at[other]].any()]
            if rows and plan[id_].relation in ("equal", "subset"):
                wanted[m], has[m] = torch.stack(rows).mean(0), True
            elif tables.parent[m] >= 0 and has[tables.parent[m]]:
                wanted[m], has[m] = wanted[tables.parent[m]], True
        self.register_buffer("wanted", wanted, persistent=False)
        self.register_buffer("has", has, persistent=False)
        self.register_buffer("node", torch.tensor(tables.node), persistent=False)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        node = torch.full_like(labels[:, 0], -1)
        for level, first in enumerate(self.target.tables.offsets[:-1]):
            known = labels[:, level] >= 0
            node = torch.where(known, self.node[labels[:, level].clamp(min=0) + int(first)], node)
        where = (node >= 0) & self.has[node.clamp(min=0)]
        found = features.movedim(1, -1)[where].float()
        near = F.cosine_similarity(found, self.wanted[node[where]], dim=1)
        return (1 - near).sum() / max(int(where.sum()), 1)
