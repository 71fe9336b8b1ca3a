"""Losses on node logits: one call, `loss(logits (B, N, ...), labels (B, L, ...)) -> scalar`, for every one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from hieratk.diagnostics import nearest
from hieratk.errors import ConfigError
from hieratk.losses.bhccm import BHCCMLoss
from hieratk.losses.c_hmcnn import CHMCNNLoss
from hieratk.losses.conditional import ConditionalLoss, HXELoss, SoftLabelsLoss
from hieratk.losses.controls import FlatCELoss, LevelBCELoss, LevelCELoss
from hieratk.losses.hssn import HSSNLoss, TreeTripletLoss
from hieratk.losses.labels import LabelSets, SetLabels
from hieratk.losses.logicseg import LogicSegLoss
from hieratk.losses.marginal import MarginalLoss
from hieratk.losses.node_loss import NodeLoss
from hieratk.losses.options import Coarse, Reduction
from hieratk.losses.tree_min import TreeMinLoss
from hieratk.losses.two_way import SoftTwoWayLoss
from hieratk.plugins import available, load

__all__ = [
    "NAMES",
    "BHCCMLoss",
    "CHMCNNLoss",
    "Coarse",
    "ConditionalLoss",
    "FlatCELoss",
    "HSSNLoss",
    "HXELoss",
    "LabelSets",
    "LevelBCELoss",
    "LevelCELoss",
    "LogicSegLoss",
    "MarginalLoss",
    "NodeLoss",
    "Reduction",
    "SetLabels",
    "SoftLabelsLoss",
    "SoftTwoWayLoss",
    "TreeMinLoss",
    "TreeTripletLoss",
    "by_name",
    "decoding_of",
]

NAMES: Mapping[str, type[NodeLoss]] = MappingProxyType(
    {
        "bhccm": BHCCMLoss,
        "tree-min": TreeMinLoss,
        "level-ce": LevelCELoss,
        "level-bce": LevelBCELoss,
        "flat-ce": FlatCELoss,
        "marginal": MarginalLoss,
        "conditional": ConditionalLoss,
        "hxe": HXELoss,
        "soft-labels": SoftLabelsLoss,
        "two-way": SoftTwoWayLoss,
        "hssn": HSSNLoss,
        "logicseg": LogicSegLoss,
        "c-hmcnn": CHMCNNLoss,
    }
)
"""What a run file calls each loss."""


def by_name(name: str) -> Callable[..., nn.Module]:
    """The loss that a run file means: called with the taxonomy and the options of its signature.

    A name that is not in `NAMES` is looked for among plugins (entry points `hieratk.losses`). Raises ConfigError, with
    the nearest name, where there is none, PluginError for a plugin that cannot be loaded.
    """
    if name in NAMES:
        return NAMES[name]
    strangers = available("loss")
    if name in strangers:
        return load("loss", name)
    known = (*NAMES, *strangers)
    near = nearest(name, known, limit=1)
    hint = f"did you mean `{near[0]}`? There" if near else "there"
    raise ConfigError(f"no loss `{name}`; {hint} are {', '.join(known)}")


def decoding_of(name: str) -> str:
    """The word for the decoder that reads what a loss trains: its `decoding`, `best_path` where it states none."""
    return str(getattr(by_name(name), "decoding", "best_path"))
