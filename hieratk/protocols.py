"""What a backbone, a model, a data set and a loss must offer: types only, and the names that plugins register under.

A plugin is an entry point: a name in one of the groups below that points to a factory. The factory's signature is its
option schema (`hieratk.plugins.check_options`), so options are keyword-only, annotated, and `**kwargs` does not occur.
`hieratk.testing` checks a factory against what is written here. docs/plugins.md shows how to write one.

Importing this module loads no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hieratk.taxonomy.tree import Taxonomy

Kind = Literal["model", "backbone", "dataset", "loss"]

API = 1
"""The version of these protocols. A plugin module may state the one it was written for as `HIERATK_API`."""

GROUPS: Mapping[Kind, str] = {
    "model": "hieratk.models",
    "backbone": "hieratk.backbones",
    "dataset": "hieratk.datasets",
    "loss": "hieratk.losses",
}
"""Entry point group of each kind of plugin."""


class Module(Protocol):
    """The part of `torch.nn.Module` that is relied on. What a factory returns must really be one."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...

    def state_dict(self) -> dict[str, Any]: ...


class Backbone(Module, Protocol):
    """An image becomes a list of feature maps, fine to coarse.

    Map k has `channels[k]` channels and one cell for `strides[k]` x `strides[k]` pixels: shape
    (B, channels[k], ceil(H / strides[k]), ceil(W / strides[k])). H and W are multiples of the least common multiple of
    the strides when `HierarchicalModel` calls, so a backbone may round either way. Strides never decrease.
    """

    @property
    def channels(self) -> tuple[int, ...]: ...

    @property
    def strides(self) -> tuple[int, ...]: ...

    def __call__(self, image: Tensor) -> Sequence[Tensor]: ...


class SegmentationNet(Module, Protocol):
    """An image becomes one feature map (B, channels, H / stride, W / stride), from which the head makes node logits.

    The call is `decode(encode(image))`. The two halves are apart because a transfer sits between them: adapters mix the
    features of a frozen source net into those of the target net at every scale (TransLU's CDKS), which only works where
    every scale can be reached. `encode` returns a list with `encoder_channels` and `encoder_strides`, as a `Backbone`
    does, and `decode` takes a list of the same shapes and uses nothing else of the image.
    """

    @property
    def channels(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def encoder_channels(self) -> tuple[int, ...]: ...

    @property
    def encoder_strides(self) -> tuple[int, ...]: ...

    def encode(self, image: Tensor) -> list[Tensor]: ...

    def decode(self, features: list[Tensor]) -> Tensor: ...

    def __call__(self, image: Tensor) -> Tensor: ...


class BackboneFactory(Protocol):
    """`in_channels`, then the backbone's own keyword-only options."""

    def __call__(self, in_channels: int) -> Backbone: ...


class ModelFactory(Protocol):
    """`in_channels`, `backbone` (None where the user named none: the model takes its own), then its own options."""

    def __call__(self, in_channels: int, *, backbone: Backbone | None) -> SegmentationNet: ...


class Dataset(Protocol):
    """Real scenes ready to train on, with the tree they are labelled in and what their licence asks to be said.

    `scenes` are `hieratk.data` scene values; `taxonomy` is a shipped name or a path.
    """

    @property
    def name(self) -> str: ...

    @property
    def taxonomy(self) -> str: ...

    @property
    def scenes(self) -> Sequence[Any]: ...

    @property
    def licence(self) -> str: ...

    @property
    def citation(self) -> str: ...


class DatasetFactory(Protocol):
    """The folder to read from or to write into, then the data set's own keyword-only options."""

    def __call__(self, folder: Path) -> Dataset: ...


class LossFactory(Protocol):
    """A taxonomy, then the loss' own keyword-only options; a `torch.nn.Module` comes back.

    The module is called with node logits (B, N, H, W) of any float dtype, channels as in `hieratk.taxonomy.tables`,
    and labels (B, L, H, W) int64, IGNORE where a level has none; it gives one number. A pixel without any label adds
    exactly nothing to value and gradient. Labels are never written to.
    """

    def __call__(self, taxonomy: Taxonomy) -> nn.Module: ...
