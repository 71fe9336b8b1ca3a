"""A flat segmentation model made hierarchical: its classifier gives node logits, everything else stays as it was.

For models that were not made by `hieratk.models.build`: those of segmentation-models-pytorch, torchvision,
transformers, mmsegmentation, or one's own.

    model = hierarchical(torchvision.models.segmentation.deeplabv3_resnet50(num_classes=6), taxonomy)
    loss = BHCCMLoss(taxonomy)
    loss(model(image), labels).backward()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hieratk.diagnostics import nearest
from hieratk.errors import PluginError
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Taxonomy

Layer: TypeAlias = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
"""What a classifier can be."""

_PASSING = ("TBackward", "TransposeBackward", "PermuteBackward", "ViewBackward", "ReshapeAlias", "ToCopyBackward")
"""Steps of autograd that stand between a weight and the operation that multiplies by it."""


class HierarchicalFlat(nn.Module):
    """See `hierarchical`. Image (B, C, H, W) float -> node logits (B, N, H, W), any H, W that the model takes.

    Attributes:
        flat: the model as it was given, with new layers in it.
        layers: the names of those layers.
        taxonomy: whose nodes the logits mean.
        multiple: H and W are padded to a multiple of this by repeating the border, and logits are cropped back.
    """

    def __init__(self, flat: nn.Module, taxonomy: Taxonomy, *, layers: tuple[str, ...], multiple: int) -> None:
        super().__init__()
        self.flat = flat
        self.layers = layers
        self.taxonomy = taxonomy
        self.multiple = multiple

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        bottom, right = (-size % self.multiple for size in (height, width))
        if bottom or right:
            image = F.pad(image, (0, right, 0, bottom), mode="replicate")
        logits = main_output(self.flat(image))
        if logits.shape[-2:] != image.shape[-2:]:
            # As in HierarchicalModel: logits are interpolated, and the loss sees the result.
            logits = F.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False)
        return logits[..., :height, :width]


def hierarchical(
    model: nn.Module,
    taxonomy: Taxonomy,
    *,
    layer: str | tuple[str, ...] | None = None,
    image: Tensor | None = None,
    multiple: int = 1,
) -> HierarchicalFlat:
    """A flat segmentation model with node logits in place of its classes. The model is changed, not copied.

    The classifier is found by running the model once and following the gradient back from its output to the first
    weights on every way: those are the layers that nothing learned comes after. Each of them that has as many outputs
    as the model has classes is replaced by one with N outputs (LR-ASPP has two, whose sum is the output), same kernel,
    stride and padding, weights Xavier uniform and biases zero as in `NodeHead` (chosen). Auxiliary heads, which do not
    reach the main output, stay flat and take no part.

    Args:
        model: gives a tensor (B, classes, h, w), a tuple that begins with one, a mapping with "out" or "logits"
            (torchvision, transformers) or an object with `logits`. What is smaller than the image is enlarged.
        taxonomy: whose nodes the logits will mean.
        layer: the name of the classifier in `model.named_modules()`, or several, in place of a search.
        image: an example (1, C, H, W) that the model takes; by default 64 x 64 with the bands of its first convolution.
        multiple: what H and W must be multiples of, such as 32 for smp; other images are padded.

    Raises PluginError where no layer or no single set of layers can be the classifier, naming those that might be, and
    where the model does not take the example. The model is then as it was.
    """
    outputs = compile_tables(taxonomy).channels
    if multiple < 1:
        raise PluginError(f"hierarchical: `multiple` must be at least 1, not {multiple}")
    example = _example(model) if image is None else image
    if layer is None:
        names = _find(model, example)
    else:
        names = (layer,) if isinstance(layer, str) else tuple(layer)
        _require(model, names)
    old = {name: model.get_submodule(name) for name in names}
    try:
        for name, module in old.items():
            _put(model, name, _with_outputs(name, module, outputs))
        wrapped = HierarchicalFlat(model, taxonomy, layers=names, multiple=multiple)
        with torch.no_grad(), _quiet(wrapped):
            made = tuple(wrapped(example).shape)
        if made != (example.shape[0], outputs, *example.shape[-2:]):
            raise PluginError(
                f"hierarchical: with {outputs} outputs in {', '.join(names)} the model gives {made}, expected "
                f"{(example.shape[0], outputs, *example.shape[-2:])}; name the classifier with `layer=`, one of "
                f"{_few(_candidates(model))}"
            )
    except Exception as error:  # strangers' models raise anything; whatever it was, they get their layers back
        for name, module in old.items():
            _put(model, name, module)
        if isinstance(error, PluginError):
            raise
        raise PluginError(
            f"hierarchical: with {outputs} outputs in {', '.join(names)} the model fails with {type(error).__name__}: "
            f"{error}; name the classifier with `layer=`, one of {_few(_candidates(model))}"
        ) from error
    return wrapped


def main_output(output: Any) -> Tensor:
    """The segmentation logits in what a model gives: itself, "out", "logits", or the first of several.

    Raises PluginError where there are none.
    """
    found = output
    if isinstance(output, Mapping):
        found = next((output[key] for key in ("out", "logits") if key in output), None)
    elif hasattr(output, "logits"):
        found = output.logits
    elif isinstance(output, tuple | list) and output:
        found = output[0]
    if not isinstance(found, Tensor) or found.ndim != 4:
        what = f"keys {', '.join(map(str, output))}" if isinstance(output, Mapping) else f"a {type(output).__name__}"
        shape = f" of shape {tuple(found.shape)}" if isinstance(found, Tensor) else ""
        raise PluginError(
            f"hierarchical: the model gives {what}{shape}, not logits (B, classes, h, w), nor 'out' or 'logits' with "
            "them"
        )
    return found


def _find(model: nn.Module, image: Tensor) -> tuple[str, ...]:
    """Names of the layers that give the model's classes."""
    names = _layers(model)
    weights = {id(module.weight): name for name, module in reversed(names.items())}
    with torch.enable_grad(), _quiet(model), _learning([module.weight for module in names.values()]):
        try:
            logits = main_output(model(image))
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(
                f"hierarchical: the model does not take an image {tuple(image.shape)}: {type(error).__name__}: "
                f"{error}; give one that it takes as `image=`"
            ) from error
        last = _last_weights(logits, weights)
    classes = logits.shape[1]
    found = tuple(name for name in names if name in last and _outputs(names[name]) == classes)
    if not found:
        ends = ", ".join(f"{name} ({_outputs(names[name])} outputs)" for name in names if name in last)
        raise PluginError(
            f"hierarchical: the model gives {classes} classes, and no layer at its end has as many outputs; "
            + (f"it ends in {ends}; " if ends else f"there are {_few(_candidates(model))}; ")
            + "name the classifier with `layer=`"
        )
    return found


def _last_weights(output: Tensor, weights: Mapping[int, str]) -> set[str]:
    """Names of the layers between which and the output no other layer lies, on any way."""
    found: set[str] = set()
    seen: set[Any] = set()
    waiting = [output.grad_fn]
    while waiting:
        step = waiting.pop()
        if step is None or step in seen:
            continue
        seen.add(step)
        children = [child for child, _ in step.next_functions]
        here = {name for child in children if (name := weights.get(id(_leaf(child))))}
        found |= here
        if not here:
            waiting += children
    return found


def _leaf(step: Any) -> Tensor | None:
    """The parameter that a step of autograd begins with, where only a change of shape lies between."""
    while step is not None and not hasattr(step, "variable"):
        if not step.name().removeprefix("torch::autograd::").startswith(_PASSING) or len(step.next_functions) != 1:
            return None
        step = step.next_functions[0][0]
    leaf: Tensor | None = getattr(step, "variable", None)
    return leaf


def _layers(model: nn.Module) -> dict[str, Layer]:
    return {name: module for name, module in model.named_modules() if isinstance(module, Layer)}


def _outputs(layer: Layer) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def _candidates(model: nn.Module) -> list[str]:
    """Layers that might be a classifier, the last ones first."""
    return [f"{name} ({_outputs(layer)} outputs)" for name, layer in reversed(_layers(model).items())]


def _few(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") or "none"


def _require(model: nn.Module, names: tuple[str, ...]) -> None:
    layers = _layers(model)
    for name in names:
        if name not in layers:
            near = nearest(name, layers)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {_few(_candidates(model))}"
            raise PluginError(f"hierarchical: the model has no convolution or linear layer '{name}'; {hint}")


def _with_outputs(name: str, module: nn.Module, outputs: int) -> Layer:
    """A layer as the given one, but with `outputs` outputs and fresh weights."""
    assert isinstance(module, Layer)
    form: dict[str, Any] = {"bias": module.bias is not None, "device": module.weight.device}
    form["dtype"] = module.weight.dtype
    made: Layer
    if isinstance(module, nn.Linear):
        made = nn.Linear(module.in_features, outputs, **form)
    elif module.groups != 1:
        raise PluginError(f"hierarchical: the layer '{name}' has {module.groups} groups of channels, not one")
    else:
        same = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        form |= {key: getattr(module, key) for key in same}
        if isinstance(module, nn.ConvTranspose2d):
            made = nn.ConvTranspose2d(module.in_channels, outputs, output_padding=module.output_padding, **form)  # type: ignore[arg-type]
        else:
            made = nn.Conv2d(module.in_channels, outputs, **form)
    nn.init.xavier_uniform_(made.weight)
    if made.bias is not None:
        nn.init.zeros_(made.bias)
    return made.train(module.training)


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _example(model: nn.Module) -> Tensor:
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        raise PluginError("hierarchical: the model has no convolution to read its band count from; give `image=`")
    return torch.zeros(1, first.in_channels, 64, 64, device=first.weight.device, dtype=first.weight.dtype)


@contextmanager
def _quiet(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a trial; each module's own mode comes back, and torch's random state."""
    modes = {module: module.training for module in model.modules()}
    with torch.random.fork_rng(devices=[]):
        try:
            model.eval()
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode


@contextmanager
def _learning(weights: list[Tensor]) -> Iterator[None]:
    """Gradients for frozen weights too: a frozen classifier is found as well."""
    frozen = [weight for weight in weights if not weight.requires_grad]
    try:
        for weight in frozen:
            weight.requires_grad_(True)
        yield
    finally:
        for weight in frozen:
            weight.requires_grad_(False)
