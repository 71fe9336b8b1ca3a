"""Losses on node logits: one call, `loss(logits (B, N, H, W), labels (B, L, H, W)) -> scalar`, for every one of
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import nn

from hieratk.diagnostics import nearest
from hieratk.errors import ConfigError
from hieratk.losses.bhccm import BHCCMLoss
from hieratk.losses.controls import FlatCELoss, LevelBCELoss, LevelCELoss, MarginalLoss
from hieratk.losses.terms import Coarse

__all__ = [
    "NAMES",
    "BHCCMLoss",
    "Coarse",
    "FlatCELoss",
    "LevelBCELoss",
    "LevelCELoss",
    "MarginalLoss",
    "by_name",
]

NAMES: Mapping[str, type[nn.Module]] = MappingProxyType(
    {
        "bhccm": BHCCMLoss,
        "level-ce": LevelCELoss,
        "level-bce": LevelBCELoss,
        "flat-ce": FlatCELoss,
        "marginal": MarginalLoss,
    }
)
"""What a run file calls each loss."""


def by_name(name: str) -> type[nn.Module]:
    """The loss class that a run file means: called with the taxonomy and the options of its signature.

    Raises ConfigError, with the nearest name, for one that is not in `NAMES`.
    """
    try:
        return NAMES[name]
    except KeyError:
        near = nearest(name, NAMES, limit=1)
        hint = f"did you mean `{near[0]}`? There" if near else "there"
        raise ConfigError(f"no loss `{name}`; {hint} are {', '.join(NAMES)}") from None
