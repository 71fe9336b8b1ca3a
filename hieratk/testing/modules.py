"""Whether a backbone or a model plugin keeps its contract."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hieratk.errors import PluginError
from hieratk.heads import NodeHead
from hieratk.models import HierarchicalModel
from hieratk.networks import unet
from hieratk.protocols import Backbone, SegmentationNet
from hieratk.taxonomy.tree import Taxonomy
from hieratk.testing.checks import Check, ContractError, Run, check_signature, expect, few
from hieratk.testing.lasting import compiles, exports, frees_memory, no_hidden_state, outputs

BANDS = (1, 4, 10)
"""Band counts that every factory is tried with: one band, blue to near infrared, Sentinel-2's land bands."""

ODD_SIZES = ((1, 1), (7, 13), (33, 50))
"""Heights and widths that are no multiple of anything."""

TREE = Taxonomy.from_outline({"vegetation": {"forest": 1, "crops": {"rice": 2, "maize": 3}}, "water": 4}, id="check")
"""Three levels and a leaf that stops early: 2 + 3 + 4 node channels."""


def check_backbone(
    factory: Callable[..., Backbone],
    *,
    options: Mapping[str, Any] | None = None,
    bands: Sequence[int] = BANDS,
    compiled: bool = False,
) -> list[Check]:
    """Whether a factory makes backbones as `hieratk.protocols.Backbone` says, for each band count.

    `compiled` tries `torch.compile` and `torch.export` too, which takes seconds.
    """
    given = dict(options or {})
    run = Run()
    run.check("signature", lambda: check_signature(factory, first="in_channels"))
    makes = [(count, _factory(factory, count, given)) for count in bands]
    sound = [_maps(run, make, count) for count, make in makes]
    if all(sound):
        _behaviour(run, makes[-1][1], bands[-1], strides=lambda module: module.strides, compiled=compiled)
    return run.checks


def check_model(
    factory: Callable[..., SegmentationNet],
    *,
    options: Mapping[str, Any] | None = None,
    bands: Sequence[int] = BANDS,
    strides: Sequence[tuple[int, ...]] = ((1, 2, 4, 8), (4, 8, 16, 32)),
    compiled: bool = False,
) -> list[Check]:
    """Whether a factory makes models as `hieratk.protocols.SegmentationNet` says.

    Every band count is tried with the model's own backbone, and the last one with plain backbones of the given strides
    too. A model may refuse a backbone with a PluginError; it must not fail in another way. `compiled` as in
    `check_backbone`.
    """
    given = dict(options or {})
    run = Run()
    run.check("signature", lambda: check_signature(factory, first="in_channels", also=("backbone",)))
    subjects: list[tuple[str, int, tuple[int, ...] | None]] = [
        (f"{n} band{'' if n == 1 else 's'}: ", n, None) for n in bands
    ]
    subjects += [(f"backbone with strides {', '.join(map(str, each))}: ", bands[-1], each) for each in strides]
    sound = []
    for prefix, count, each in subjects:
        make = _model_factory(factory, count, given, each)
        if each is None or not _refuses(make):
            sound.append(_net(run, make, count, prefix))
    if all(sound):
        make = _model_factory(factory, bands[-1], given, None)
        _behaviour(run, make, bands[-1], strides=lambda module: module.encoder_strides, compiled=compiled)
    return run.checks


def _maps(run: Run, make: Callable[[], Any], bands: int) -> bool:
    prefix = f"{bands} band{'' if bands == 1 else 's'}: "
    if not (run.check(prefix + "builds", make) and run.check(prefix + "declares", lambda: _declares_maps(make()))):
        return False
    shapes = run.check(prefix + "shapes", lambda: _map_shapes(make(), bands))
    return run.check(prefix + "odd sizes", lambda: _odd_sizes(unet(bands, backbone=make()), bands)) and shapes


def _net(run: Run, make: Callable[[], Any], bands: int, prefix: str) -> bool:
    if not (run.check(prefix + "builds", make) and run.check(prefix + "declares", lambda: _declares_net(make()))):
        return False
    shapes = run.check(prefix + "shapes", lambda: _net_shapes(make(), bands))
    run.check(prefix + "decode needs features only", lambda: _halves(make(), bands))
    return run.check(prefix + "odd sizes", lambda: _odd_sizes(make(), bands)) and shapes


def _factory(factory: Callable[..., Any], bands: int, options: Mapping[str, Any]) -> Callable[[], Any]:
    return lambda: factory(bands, **options)


def _model_factory(
    factory: Callable[..., Any], bands: int, options: Mapping[str, Any], strides: tuple[int, ...] | None
) -> Callable[[], Any]:
    return lambda: factory(bands, backbone=None if strides is None else PoolBackbone(bands, strides), **options)


def _refuses(make: Callable[[], Any]) -> bool:
    with torch.random.fork_rng(devices=[]):
        try:
            make()
        except PluginError:
            return True
        except Exception:  # the check "builds" tells about it
            return False
    return False


class PoolBackbone(nn.Module):
    """The simplest backbone with given strides: means over squares of pixels, mixed by a 1x1 convolution."""

    def __init__(self, in_channels: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.strides = strides
        self.channels = tuple(8 * (k + 1) for k in range(len(strides)))
        self.mix = nn.ModuleList(nn.Conv2d(in_channels, width, kernel_size=1) for width in self.channels)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [mix(F.avg_pool2d(image, s)) for mix, s in zip(self.mix, self.strides, strict=True)]


def _declares_maps(backbone: Any, prefix: str = "") -> None:
    expect(isinstance(backbone, nn.Module), f"a {type(backbone).__name__} came, not a torch.nn.Module")
    channels, strides = (getattr(backbone, prefix + name, None) for name in ("channels", "strides"))
    for name, value in ((prefix + "channels", channels), (prefix + "strides", strides)):
        fits = isinstance(value, tuple) and value and all(isinstance(v, int) and v > 0 for v in value)
        expect(bool(fits), f"`{name}` must be a tuple of positive ints, not {value!r}")
    assert isinstance(channels, tuple)
    assert isinstance(strides, tuple)
    same = len(channels) == len(strides)
    expect(same, f"`{prefix}channels` has {len(channels)} numbers, `{prefix}strides` has {len(strides)}")
    expect(list(strides) == sorted(strides), f"`{prefix}strides` must go from fine to coarse, not {strides}")


def _declares_net(net: Any) -> None:
    _declares_maps(net, prefix="encoder_")
    for name in ("channels", "stride"):
        value = getattr(net, name, None)
        expect(isinstance(value, int) and value > 0, f"`{name}` must be a positive int, not {value!r}")
    for name in ("encode", "decode"):
        expect(callable(getattr(net, name, None)), f"the method `{name}` is missing")


def _image(bands: int, strides: tuple[int, ...]) -> Tensor:
    """Two images, wider than tall, of several coarsest cells: normalising one cell is undefined in training."""
    unit = math.lcm(*strides) * max(1, math.ceil(32 / math.lcm(*strides)))
    return torch.randn(2, bands, 2 * unit, 3 * unit)


def _maps_fit(features: Any, channels: tuple[int, ...], strides: tuple[int, ...], image: Tensor) -> None:
    expect(isinstance(features, list | tuple), f"a {type(features).__name__} came, not a list of feature maps")
    expect(len(features) == len(channels), f"{len(channels)} maps are declared, {len(features)} came")
    for k, (feature, width, stride) in enumerate(zip(features, channels, strides, strict=True)):
        expected = (len(image), width, math.ceil(image.shape[-2] / stride), math.ceil(image.shape[-1] / stride))
        _tensor_fits(f"map {k} (stride {stride})", feature, expected, image)


def _tensor_fits(what: str, value: Any, expected: tuple[int, ...], image: Tensor) -> None:
    size = "x".join(map(str, image.shape[-2:]))
    expect(isinstance(value, Tensor), f"{what} is a {type(value).__name__}, not a tensor")
    shape = tuple(value.shape)
    expect(shape == expected, f"{what} of a {size} image has shape {shape}, expected {expected}")
    expect(value.dtype == image.dtype, f"{what} is {value.dtype}, the image is {image.dtype}")
    bad = int((~torch.isfinite(value)).sum())
    expect(bad == 0, f"{what} of a {size} image holds {bad} values that are NaN or infinite")


def _map_shapes(backbone: Any, bands: int) -> None:
    for module in (backbone.train(), backbone.eval()):
        image = _image(bands, module.strides)
        _maps_fit(_given(module, image), module.channels, module.strides, image)
    side = math.lcm(*backbone.strides)
    smallest = torch.randn(1, bands, side, side)
    with torch.no_grad():
        _maps_fit(backbone(smallest), backbone.channels, backbone.strides, smallest)


def _given(call: Callable[[Tensor], Any], image: Tensor) -> Any:
    try:
        return call(image)
    except Exception as error:
        bands, height, width = image.shape[1:]
        raise ContractError(
            f"made with in_channels={bands}, it fails on a {height}x{width} image of as many bands: "
            f"{type(error).__name__}: {error}"
        ) from error


def _net_shapes(net: Any, bands: int) -> None:
    for module in (net.train(), net.eval()):
        image = _image(bands, module.encoder_strides)
        _maps_fit(_given(module.encode, image), module.encoder_channels, module.encoder_strides, image)
        height, width = (size // module.stride for size in image.shape[-2:])
        _tensor_fits("the decoder's feature", module(image), (len(image), module.channels, height, width), image)


def _halves(net: Any, bands: int) -> None:
    net.eval()
    image = _image(bands, net.encoder_strides)
    with torch.no_grad():
        whole = net(image)
        features = list(net.encode(image))
        net.encode(_image(bands, net.encoder_strides))
        apart = net.decode(features)
    gap = float((whole - apart).abs().max())
    expect(torch.allclose(whole, apart, atol=1e-5), f"decode(encode(image)) differs from the call by {gap:.3g}")


def _odd_sizes(net: SegmentationNet, bands: int) -> None:
    model = HierarchicalModel(net, NodeHead(net.channels, TREE), taxonomy=TREE, in_channels=bands).eval()
    outputs = model.head.classify.out_channels
    for height, width in ODD_SIZES:
        image = torch.randn(1, bands, height, width)
        with torch.no_grad():
            _tensor_fits("the node logits", model(image), (1, outputs, height, width), image)


def _behaviour(
    run: Run, make: Callable[[], Any], bands: int, *, strides: Callable[[Any], tuple[int, ...]], compiled: bool
) -> None:
    """What holds for backbones and models alike; both are called with an image and give one tensor or several."""

    def image() -> Tensor:
        return _image(bands, strides(make()))

    run.check("gradient", lambda: _gradient(make(), image()))
    run.check("leaves the image alone", lambda: _image_unchanged(make(), image()))
    run.check("same output again", lambda: _repeats(make().eval(), image()))
    run.check("images of a batch do not mix", lambda: _no_mixing(make().eval(), image()))
    run.check("same seed, same weights", lambda: _seeded(make))
    run.check("state dict", lambda: _round_trip(make, image()))
    run.check("no hidden state", lambda: no_hidden_state(make, image()))
    run.check("memory", lambda: frees_memory(make, image()))
    if compiled:
        run.check("torch.compile", lambda: compiles(make, image()))
        run.check("torch.export", lambda: exports(make, image()))


def _gradient(module: Any, image: Tensor) -> None:
    module.train()
    # Random weights: a plain sum is constant behind a normalisation, and its gradient would vanish rightly.
    loss = sum((out * torch.randn_like(out)).sum() for out in outputs(module, image))
    assert isinstance(loss, Tensor)
    loss.backward()  # type: ignore[no-untyped-call]
    trained = {name: p.grad for name, p in module.named_parameters() if p.requires_grad}
    expect(bool(trained), "no parameter requires a gradient")
    unreached = [name for name, grad in trained.items() if grad is None]
    expect(not unreached, f"no gradient reaches {few(unreached)}; remove what is not used or freeze it")
    bad = [name for name, grad in trained.items() if grad is not None and not bool(torch.isfinite(grad).all())]
    expect(not bad, f"the gradient of {few(bad)} is not finite")


def _image_unchanged(module: Any, image: Tensor) -> None:
    before = image.clone()
    with torch.no_grad():
        module.train()(image)
        module.eval()(image)
    expect(torch.equal(image, before), "the image was changed in place (is an inplace=True the first operation?)")


def _repeats(module: Any, image: Tensor) -> None:
    with torch.no_grad():
        first = [out.clone() for out in outputs(module, image)]
        module(torch.randn_like(image))
        again = outputs(module, image)
    same = all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    expect(same, "two calls in eval mode differ: something random or remembered is left in it")


def _no_mixing(module: Any, image: Tensor) -> None:
    with torch.no_grad():
        together, alone = outputs(module, image), outputs(module, image[:1])
    gap = max(float((a[:1] - b).abs().max() / (b.abs().max() + 1e-6)) for a, b in zip(together, alone, strict=True))
    expect(gap < 1e-3, f"in eval mode an image's output depends on the others of its batch (relative gap {gap:.3g})")


def _seeded(make: Callable[[], Any]) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(1)
        states.append(make().state_dict())
    differing = [name for name, value in states[0].items() if not torch.equal(value, states[1][name])]
    expect(not differing, f"with the same torch seed {few(differing)} differ: use torch's global generator")


def _round_trip(make: Callable[[], Any], image: Tensor) -> None:
    torch.manual_seed(1)
    one = make()
    torch.manual_seed(2)
    other = make()
    state = one.state_dict()
    strange = [name for name, value in state.items() if not isinstance(value, Tensor)]
    expect(not strange, f"the state dict holds {few(strange)}, not tensors: a checkpoint is safetensors")
    expect(bool(state), "the state dict is empty")
    other.load_state_dict(state)
    with torch.no_grad():
        pairs = zip(outputs(one.eval(), image), outputs(other.eval(), image), strict=True)
        gap = max(float((a - b).abs().max()) for a, b in pairs)
    expect(gap < 1e-5, f"after loading the state dict outputs differ by {gap:.3g}: something learned is not in it")
