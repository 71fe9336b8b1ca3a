"""The dual-branch network: a frozen source model beside a trainable target model.

A precursor of HieraRS froze the source net and trained a new head on top (inferred); both branches with adapters
between them are our choice (docs/transfer.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from hieratk.errors import TransferError
from hieratk.heads import NodeHead
from hieratk.models import HierarchicalModel
from hieratk.taxonomy.tree import Taxonomy
from hieratk.translu.adapters import Adapters


class SourceView(nn.Module):
    """What the source model sees of a target image: (B, C_target, H, W) normalised -> (B, C_source, H, W).

    Args:
        bands: for each source band the index of the target band that stands for it, -1 for none: it is then 0, the
            source's own mean.
        gain, offset: of each source band; 1 and 0 where each sensor is normalised by its own statistics.
    """

    bands: Tensor
    gain: Tensor
    offset: Tensor

    def __init__(
        self, bands: Sequence[int], *, gain: Sequence[float] | None = None, offset: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        n = len(bands)
        self.same = list(bands) == list(range(n)) and gain is None and offset is None
        self.register_buffer("bands", torch.tensor(bands), persistent=False)
        self.register_buffer("gain", torch.tensor(gain or [1.0] * n).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("offset", torch.tensor(offset or [0.0] * n).view(1, -1, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        if self.same and image.shape[1] == len(self.bands):
            return image
        seen = image[:, self.bands.clamp(min=0)] * self.gain + self.offset
        return seen.masked_fill((self.bands < 0).view(1, -1, 1, 1), 0.0)


class DualBranch(HierarchicalModel):
    """A `HierarchicalModel` of the target tree whose features take in those of a frozen source model.

    The source is no submodule: it is not trained, not put into train mode (its norms keep their statistics, its
    dropout stays off), not part of the state dict. `.to` moves it. Its answers are `source_logits`.

    Args:
        source: the model that is frozen; its parameters stop requiring gradients, it is put into evaluation mode.
        target: the model that learns.
        view: what the source sees of a target image.
        adapters: None without CDKS.
        inherits: whether the target's net is a copy of that of a source that has adapters itself: what those add to the
            source's features is then added to the target's, so that the target begins as the source, not as its net.
    """

    def __init__(
        self,
        source: HierarchicalModel,
        target: HierarchicalModel,
        *,
        view: SourceView,
        adapters: Adapters | None,
        inherits: bool = False,
    ) -> None:
        super().__init__(target.net, target.head, taxonomy=target.taxonomy, in_channels=target.in_channels)
        # In a tuple, so that torch does not take it for a part of this module.
        self._beside = (source.eval().requires_grad_(False), view)
        self.adapters, self.inherits = adapters, inherits
        if self._listens:
            self.multiple = math.lcm(self.multiple, source.multiple)

    @property
    def source(self) -> HierarchicalModel:
        """The frozen model."""
        return self._beside[0]

    @property
    def _listens(self) -> bool:
        """Whether features of the source are needed for those of the target."""
        return self.adapters is not None or self.inherits

    def decoded(self, image: Tensor) -> Tensor:
        """As `HierarchicalModel.decoded`, the source's features mixed in at every scale."""
        return self.net.decode(self.scales(image)[1]) if self._listens else super().decoded(image)

    def scales(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """As `HierarchicalModel.scales`; the second list has the source's features mixed in."""
        own = list(self.net.encode(image))
        if not self._listens:
            return own, own
        with torch.no_grad():
            heard = self.source.scales(self._beside[1](image))
        return own, self._mixed(own, *heard)

    def with_source(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """`decoded(image)` and the source's logits of the same padded image, the source's net run once for both."""
        seen = self._beside[1](image)
        if not self._listens:
            with torch.no_grad():
                said: Tensor = self.source(seen)
            return self.decoded(image), said
        with torch.no_grad():
            heard = self.source.scales(seen)
            said = self.source.read(self.source.net.decode(heard[1]), seen)
        return self.net.decode(self._mixed(list(self.net.encode(image)), *heard)), said

    def _mixed(self, own: list[Tensor], source: list[Tensor], adapted: list[Tensor]) -> list[Tensor]:
        if self.inherits:
            own = [mine + (new - old) for mine, old, new in zip(own, source, adapted, strict=True)]
        return own if self.adapters is None else self.adapters(own, adapted)

    @torch.no_grad()
    def source_logits(self, image: Tensor) -> Tensor:
        """(B, N_source, H, W) of a target image (B, C_target, H, W): exactly what the source model says alone."""
        return self.source(self._beside[1](image))  # type: ignore[no-any-return]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> DualBranch:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch does not type it
        for part in self._beside:
            part._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def dual_branch(
    source: HierarchicalModel,
    taxonomy: Taxonomy,
    head: NodeHead,
    *,
    target: HierarchicalModel | None,
    in_channels: int,
    view: SourceView,
    sharing: bool,
) -> DualBranch:
    """A `DualBranch` whose target begins as the source does.

    Args:
        head: the expanded head.
        target: a model of another kind to begin with, whose weights are its own; None copies the source's net, its
            first convolution fitted to the target's bands: known bands keep their weights, others start at zero.
        sharing: whether there are CDKS adapters. They need `encode` of both nets.

    Raises TransferError where the nets do not go together.
    """
    copied = target is None
    if target is None:
        net = deepcopy(source.net)
        _fit_bands(net, source.in_channels, in_channels, view.bands.tolist())
        for parameter in net.parameters():
            parameter.requires_grad_(True)
        target = HierarchicalModel(net, head, taxonomy=taxonomy, in_channels=in_channels)
    else:
        _fit_head(target, head)
    adapters = None
    if sharing:
        for model, which in ((source, "source"), (target, "target")):
            if not hasattr(model.net, "encode"):
                raise TransferError(
                    f"the {which} model shows no features by scale (it has no `encode`), which CDKS adapters need; "
                    "switch them off with `transfer.sharing: false`"
                )
        adapters = Adapters(
            target.net.encoder_channels,
            target.net.encoder_strides,
            source.net.encoder_channels,
            source.net.encoder_strides,
        )
    inherits = copied and isinstance(source, DualBranch) and source._listens
    return DualBranch(source, target, view=view, adapters=adapters, inherits=inherits)


def _fit_head(target: HierarchicalModel, head: NodeHead) -> None:
    if target.head.classify.in_channels == head.classify.in_channels:
        target.head = head


def _fit_bands(net: nn.Module, before: int, after: int, bands: Sequence[int]) -> None:
    """Change the first convolution that reads `before` bands into one that reads `after`.

    A band that stands for several source bands gets the sum of their weights: its answer to equal bands is then that
    of the old convolution.
    """
    if before == after and list(bands) == list(range(before)):
        return
    for parent in net.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d) and child.in_channels == before and child.groups == 1:
                setattr(parent, name, _rebanded(child, after, bands))
                return
    raise TransferError(
        f"no convolution of the source model reads its {before} bands, so {after} other bands cannot be fitted in; "
        "give the target a model of its own in the run file"
    )


def _rebanded(conv: nn.Conv2d, after: int, bands: Sequence[int]) -> nn.Conv2d:
    new = nn.Conv2d(
        after,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]  # torch's stubs want exactly two numbers
        stride=conv.stride,  # type: ignore[arg-type]
        padding=conv.padding,  # type: ignore[arg-type]
        dilation=conv.dilation,  # type: ignore[arg-type]
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
    )
    with torch.no_grad():
        new.weight.zero_()
        for old, band in enumerate(bands):
            if band >= 0:
                new.weight[:, band] += conv.weight[:, old]
        if conv.bias is not None and new.bias is not None:
            new.bias.copy_(conv.bias)
    return new
