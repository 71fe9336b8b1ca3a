"""What a user may set in a loss, checked: each function returns the value, or raises ConfigError with the way out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from hieratk.diagnostics import nearest
from hieratk.errors import ConfigError
from hieratk.tensors import TaxonomyTensors

Coarse: TypeAlias = Literal["marginal", "ignore"]
"""What a label says about the levels below it: one of the classes under it (`marginal`), or nothing (`ignore`)."""

Reduction: TypeAlias = Literal["mean", "sum", "none"]
"""Whether a loss is a mean over pixels, their sum, or one value a pixel."""


def check_coarse(coarse: str) -> Coarse:
    """The option as a `Coarse`; raises ConfigError for anything else."""
    for choice in get_args(Coarse):
        if coarse == choice:
            return choice  # type: ignore[no-any-return]
    raise ConfigError(f"loss: coarse is `{coarse}`; use one of {', '.join(get_args(Coarse))}")


def check_reduction(reduction: str) -> Reduction:
    """The option as a `Reduction`; raises ConfigError for anything else."""
    for choice in get_args(Reduction):
        if reduction == choice:
            return choice  # type: ignore[no-any-return]
    raise ConfigError(f"loss: reduction is `{reduction}`; use one of {', '.join(get_args(Reduction))}")


def check_weight(value: float, *, name: str) -> float:
    """A finite weight >= 0; raises ConfigError for anything else."""
    # A run file can put anything here.
    if not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"loss: {name} is {value}; use a finite number of 0 or more")
    return float(value)


def weights_of_levels(tree: TaxonomyTensors, weights: Sequence[float] | None) -> tuple[float, ...]:
    """One weight a level: those given, or the number of classes of each level over N (they then sum to 1).

    Raises ConfigError for a wrong number of weights, a negative or non-finite one, or all zero.
    """
    if weights is None:
        return tuple(size / tree.channels for size in tree.sizes)
    names = ", ".join(tree.tables.level_names)
    if not isinstance(weights, list | tuple):
        raise ConfigError(f"loss: level_weights is {weights!r}; give a list, one number a level ({names})")
    if len(weights) != tree.n_levels:
        raise ConfigError(f"loss: {len(weights)} level_weights for {tree.n_levels} levels ({names}); give one a level")
    checked = tuple(check_weight(w, name=f"level_weights[{i}]") for i, w in enumerate(weights))
    if not any(checked):
        raise ConfigError(f"loss: level_weights are all 0; give at least one of {names} a weight")
    return checked


def weights_of_classes(tree: TaxonomyTensors, weights: Mapping[str, float] | None) -> Tensor | None:
    """(N,) float64, the weight of the class of each channel: as given by id, 1 for those not given; None for None.

    Raises ConfigError for an id that the tree does not predict, a negative or non-finite weight, or none above 0.
    """
    if weights is None:
        return None
    if not isinstance(weights, Mapping):
        raise ConfigError(f"loss: class_weights is {weights!r}; give class ids with their weights, such as {{rice: 2}}")
    known = tree.tables.ids
    for id_, value in weights.items():
        if id_ not in known:
            near = nearest(id_, known, limit=1)
            hint = f"did you mean `{near[0]}`?" if near else f"its classes begin with {', '.join(known[:5])}"
            raise ConfigError(f"loss: class_weights names `{id_}`, which this tree does not predict; {hint}")
        check_weight(value, name=f"class_weights[{id_}]")
    of_class = torch.tensor([float(weights.get(id_, 1.0)) for id_ in known], dtype=torch.float64)
    if not bool((of_class > 0).any()):
        raise ConfigError("loss: class_weights are 0 for every class; give at least one a weight")
    return of_class[torch.tensor(tree.tables.node)]
