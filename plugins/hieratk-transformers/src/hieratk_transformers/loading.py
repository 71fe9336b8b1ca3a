"""Configurations, and weights from a folder or the hub, fitted to another band count."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, AutoConfig

from hieratk.errors import PluginError


def configure(name: str, model_type: str, *given: Mapping[str, Any]) -> Any:
    """A configuration of transformers from fields; of equal ones the last holds. PluginError for what it refuses."""
    fields: dict[str, Any] = {}
    for each in given:
        fields |= each
    try:
        kind = CONFIG_MAPPING[model_type]
        unknown = [key for key in fields if not hasattr(kind(), key) and key not in ("out_features", "out_indices")]
        if unknown:
            raise PluginError(f"{name}: a configuration of {model_type} has no field {', '.join(unknown)}")
        return kind(**fields)
    except PluginError:
        raise
    except Exception as error:  # each configuration checks its fields in its own way
        raise PluginError(f"{name}: transformers refuses the configuration: {_reason(error)}") from error


def read_config(name: str, weights: str) -> Any:
    """The configuration that lies beside weights; PluginError where there is none."""
    try:
        return AutoConfig.from_pretrained(weights)
    except Exception as error:
        raise PluginError(
            f"{name}: no configuration of transformers at '{weights}': {_reason(error)}; give a folder with "
            "config.json and model.safetensors, or a name of the hub"
        ) from error


def load(
    name: str,
    kind: Any,
    weights: str,
    config: Any,
    in_channels: int,
    make: Callable[[Any], nn.Module],
    *,
    inner: str | None = None,
) -> Any:
    """A module with the weights of a folder or the hub, for any band count.

    Filters over other bands are repeated in turn and scaled by old / new, so that equal bands give what they gave; for
    one band they are summed. (timm does the same.)

    Args:
        kind: the class whose `from_pretrained` reads them. make: makes the module from a configuration.
        inner: where in the configuration the band count stands, if not at the top.
    """
    try:
        loaded, told = kind.from_pretrained(weights, config=config, output_loading_info=True)
    except Exception as error:
        raise PluginError(f"{name}: cannot read the weights at '{weights}': {_reason(error)}") from error
    # Heads may be new or of other classes; norms of the chosen maps are new in a classifier's weights.
    missing = [key for key in told["missing_keys"] if "hidden_states_norms" not in key and "fpn" not in key]
    missing = [key for key in missing if "classifier" not in key and "head" not in key]
    if missing:
        few = ", ".join(sorted(missing)[:4])
        raise PluginError(f"{name}: the weights at '{weights}' lack {len(missing)} of the model's, among them {few}")
    wider = copy.deepcopy(config)
    innermost = wider if inner is None else getattr(wider, inner)
    if innermost.num_channels == in_channels:
        return loaded
    innermost.num_channels = in_channels
    made = make(wider)
    state = loaded.state_dict()
    for key, value in made.state_dict().items():
        if state[key].shape != value.shape:
            state[key] = _fit_bands(state[key], in_channels)
    made.load_state_dict(state)
    return made


def _fit_bands(weight: Tensor, bands: int) -> Tensor:
    """(F, C, h, w) filters over C bands as filters over `bands`."""
    have = weight.shape[1]
    if bands == 1:
        return weight.sum(dim=1, keepdim=True)
    return weight.repeat(1, math.ceil(bands / have), 1, 1)[:, :bands] * (have / bands)


def survey(
    network: nn.Module, maps: Callable[[nn.Module, Tensor], list[Tensor]], in_channels: int, side: int
) -> tuple[tuple[int, ...], tuple[int, ...], list[str]]:
    """Channels and strides of the maps of a small image, and names of parameters that no map depends on.

    The image is a real one, not one of the meta device: transformers keeps tables by image size, and would keep those
    of the meta device for good.
    """
    was_training = network.training
    with torch.enable_grad():
        features = maps(network.eval(), torch.zeros(1, in_channels, side, side))
    network.train(was_training)
    reached: set[int] = set()
    seen: set[Any] = set()
    waiting: list[Any] = [feature.grad_fn for feature in features]
    while waiting:
        step = waiting.pop()
        if step is not None and step not in seen:
            seen.add(step)
            if hasattr(step, "variable"):
                reached.add(id(step.variable))
            waiting += [child for child, _ in step.next_functions]
    unused = [name for name, parameter in network.named_parameters() if id(parameter) not in reached]
    channels = tuple(int(feature.shape[1]) for feature in features)
    return channels, tuple(side // int(feature.shape[-1]) for feature in features), unused


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
