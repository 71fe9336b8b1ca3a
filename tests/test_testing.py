"""The contract checks tell every planted fault, and nothing else."""

from __future__ import annotations

import ast
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hieratk.data.scenes import Scene
from hieratk.errors import PluginError
from hieratk.rasters import Grid, create
from hieratk.testing import PoolBackbone, check_backbone, check_dataset, check_model, report
from hieratk.testing.imports import own_seconds


class Sound(nn.Module):
    """Two maps at strides 2 and 4; each fault below changes one thing."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.channels: Any = (4, 8)
        self.strides: Any = (2, 4)
        self.first = nn.Conv2d(in_channels, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 8, 3, stride=2, padding=1)

    def forward(self, image: Tensor) -> Any:
        x = self.first(image)
        return [x, self.second(F.relu(x))]


def sound(in_channels: int) -> Any:
    return Sound(in_channels)


def altered(**change: Any) -> Callable[[int], Any]:
    """A factory of Sound with attributes replaced."""

    def make(in_channels: int) -> Any:
        module = Sound(in_channels)
        for name, value in change.items():
            setattr(module, name, value)
        return module

    return make


def wrapped(forward: Callable[[Sound, Tensor], Any], **extra: Callable[[], Any]) -> Callable[[int], Any]:
    """A factory of Sound with another forward and freshly made further attributes."""

    class Faulty(Sound):
        def __init__(self, in_channels: int) -> None:
            super().__init__(in_channels)
            for name, make in extra.items():
                setattr(self, name, make())

        def forward(self, image: Tensor) -> Any:
            return forward(self, image)

    def make(in_channels: int) -> Any:
        return Faulty(in_channels)

    return make


def plain(self: Sound, image: Tensor) -> list[Tensor]:
    return list(Sound.forward(self, image))


def nan_when_small(self: Sound, image: Tensor) -> list[Tensor]:
    first, second = Sound.forward(self, image)
    return [first, second / second.std() if second[0, 0].numel() > 1 else second * float("nan")]


def in_place(self: Sound, image: Tensor) -> list[Tensor]:
    return plain(self, image.relu_())


def remembers(self: Any, image: Tensor) -> list[Tensor]:
    self.seen = self.seen + image.mean().detach()
    return [out + self.seen for out in plain(self, image)]


def only_three_bands(self: Sound, image: Tensor) -> list[Tensor]:
    if image.shape[1] not in (1, 3):
        raise RuntimeError(f"expected 3 channels, got {image.shape[1]}")
    return plain(self, image)


def hidden_options(in_channels: int, **_options: Any) -> Any:
    return Sound(in_channels)


def positional_option(in_channels: int, width: int = 4) -> Any:
    return altered(channels=(width, 8))(in_channels)


def bare_option(in_channels: int, *, width=4) -> Any:  # type: ignore[no-untyped-def]
    return altered(channels=(width, 8))(in_channels)


FAULTS: dict[str, tuple[Callable[[int], Any], str, str]] = {
    "wrong stride": (
        altered(strides=(2, 8)),
        "shapes",
        "map 1 (stride 8) of a 64x96 image has shape (2, 8, 16, 24), ex",
    ),
    "wrong width": (
        altered(channels=(4, 9)),
        "shapes",
        "map 1 (stride 4) of a 64x96 image has shape (2, 8, 16, 24), e",
    ),
    "a map is missing": (wrapped(lambda m, x: plain(m, x)[:1]), "shapes", "2 maps are declared, 1 came"),
    "one tensor": (wrapped(lambda m, x: plain(m, x)[0]), "shapes", "a Tensor came, not a list of feature maps"),
    "other dtype": (
        wrapped(lambda m, x: [f.double() for f in plain(m, x)]),
        "shapes",
        "map 0 (stride 2) is torch.float64",
    ),
    "NaN when small": (wrapped(nan_when_small), "shapes", "map 1 (stride 4) of a 4x4 image holds 8 values"),
    "wrong band count": (
        wrapped(only_three_bands),
        "shapes",
        "made with in_channels=4, it fails on a 64x96 image of as many bands: RuntimeError: expected 3 channels, got 4",
    ),
    "list of strides": (altered(strides=[2, 4]), "declares", "`strides` must be a tuple of positive ints, not [2, 4]"),
    "no strides": (altered(strides=None), "declares", "`strides` must be a tuple of positive ints, not None"),
    "coarse first": (altered(strides=(4, 2)), "declares", "`strides` must go from fine to coarse, not (4, 2)"),
    "uneven": (altered(channels=(4,)), "declares", "`channels` has 1 numbers, `strides` has 2"),
    "no module": (
        lambda in_channels: SimpleNamespace(bands=in_channels),
        "declares",
        "a SimpleNamespace came, not a torch.nn.Module",
    ),
    "random in eval": (
        wrapped(lambda m, x: [F.dropout(f, 0.5) for f in plain(m, x)]),
        "same output again",
        "two calls in eval mode differ: something random or remembered is left in it",
    ),
    "hidden state": (wrapped(remembers, seen=lambda: 0.0), "same output again", "two calls in eval mode differ"),
    "batch mixes": (
        wrapped(lambda m, x: [f - f.mean(dim=0, keepdim=True) for f in plain(m, x)]),
        "images of a batch do not mix",
        "in eval mode an image's output depends on the others of its batch",
    ),
    "in place": (wrapped(in_place), "leaves the image alone", "the image was changed in place"),
    "unused layer": (
        wrapped(plain, spare=lambda: nn.Linear(2, 2)),
        "gradient",
        "no gradient reaches spare.weight, spare.bias; remove what is not used or freeze it",
    ),
    "detached": (
        wrapped(lambda m, x: [plain(m, x)[0], plain(m, x)[1].detach()]),
        "gradient",
        "no gradient reaches second.weight, second.bias",
    ),
    "own generator": (
        wrapped(
            plain, noise=lambda: nn.Parameter(torch.randn(2, generator=torch.Generator().manual_seed(id(object()))))
        ),
        "gradient",
        "no gradient reaches noise",
    ),
    "kwargs": (hidden_options, "signature", "`**_options` hides the options"),
    "positional option": (positional_option, "signature", "option `width` must be keyword-only (after a `*`)"),
    "no annotation": (bare_option, "signature", "option `width` has no annotation"),
    "other subject": (lambda bands: Sound(bands), "signature", "the first parameter must be `in_channels`"),
    "fails": (lambda in_channels: in_channels / 0, "builds", "ZeroDivisionError: division by zero"),
}


def failures(checks: Sequence[Any]) -> dict[str, str]:
    """Message of each failed check by its name without the band count."""
    return {check.name.split(": ")[-1]: check.message for check in checks if not check.passed}


def test_a_sound_backbone_passes() -> None:
    checks = check_backbone(sound)
    assert failures(checks) == {}, report(checks)
    assert len(checks) == 1 + 3 * 4 + 8


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_named(fault: str) -> None:
    factory, check, message = FAULTS[fault]
    found = failures(check_backbone(factory, bands=(1, 4)))
    assert found.get(check, "it passed").startswith(message), found


def test_weights_from_an_own_generator_are_found() -> None:
    class Willful(Sound):
        made = 0

        def __init__(self, in_channels: int) -> None:
            super().__init__(in_channels)
            Willful.made += 1
            nn.init.normal_(self.first.weight, generator=torch.Generator().manual_seed(Willful.made))

    found = failures(check_backbone(lambda in_channels: Willful(in_channels), bands=(2,)))
    assert found == {
        "same seed, same weights": "with the same torch seed first.weight differ: use torch's global generator"
    }


def test_what_is_learned_outside_the_state_dict_is_found() -> None:
    class Forgetful(Sound):
        def __init__(self, in_channels: int) -> None:
            super().__init__(in_channels)
            self.register_buffer("scale", torch.rand(1), persistent=False)
            self.scale: Tensor

        def forward(self, image: Tensor) -> list[Tensor]:
            return [out * self.scale for out in Sound.forward(self, image)]

    found = failures(check_backbone(lambda in_channels: Forgetful(in_channels), bands=(2,)))
    assert list(found) == ["state dict"]
    assert "something learned is not in it" in found["state dict"]


def test_state_in_a_global_that_changes_other_instances_is_found() -> None:
    class Counted(Sound):
        scale = 1.0

        def __init__(self, in_channels: int) -> None:
            super().__init__(in_channels)
            Counted.scale = Counted.scale + 1

        def forward(self, image: Tensor) -> list[Tensor]:
            return [out * Counted.scale for out in Sound.forward(self, image)]

    found = failures(check_backbone(lambda in_channels: Counted(in_channels), bands=(2,)))
    assert found["no hidden state"].startswith("a second instance changes the first one's output")


def test_settings_of_the_process_are_not_for_a_plugin_to_change() -> None:
    def changes(in_channels: int) -> Any:
        random.random()
        torch.set_float32_matmul_precision("high" if torch.get_float32_matmul_precision() == "highest" else "highest")
        return Sound(in_channels)

    before = torch.get_float32_matmul_precision()
    try:
        found = failures(check_backbone(changes, bands=(2,)))
    finally:
        torch.set_float32_matmul_precision(before)
    assert list(found) == ["no hidden state"]
    assert found["no hidden state"].startswith("it changes ")
    assert "the state of Python's random" in found["no hidden state"]


def test_outputs_that_are_kept_are_found() -> None:
    kept: list[Tensor] = []

    def keeps(self: Sound, image: Tensor) -> list[Tensor]:
        kept.append(torch.zeros(100, dtype=torch.uint8))
        return plain(self, image)

    found = failures(check_backbone(wrapped(keeps), bands=(2,)))
    assert found == {"memory": "each call leaves 100 more bytes of tensors in memory; keep no outputs, or detach them"}


def test_a_module_that_something_holds_on_to_is_found() -> None:
    held: list[Any] = []

    def make(in_channels: int) -> Any:
        held.append(Sound(in_channels))
        return held[-1]

    found = failures(check_backbone(make, bands=(2,)))
    assert found == {"memory": "the module stays in memory after its last use: something global still holds it"}


def test_what_compilers_cannot_take_is_found() -> None:
    """Sound code passes; one that asks for the values of a tensor cannot be exported, but still be compiled."""

    def looks(self: Sound, image: Tensor) -> list[Tensor]:
        return [out * (2 if float(image.mean()) > 0 else 3) for out in plain(self, image)]

    def lies(self: Sound, image: Tensor) -> list[Tensor]:
        return [out + torch.compiler.is_compiling() for out in plain(self, image)]

    def found(factory: Any) -> dict[str, str]:
        return failures(check_backbone(factory, bands=(2,), compiled=True))

    assert found(sound) == {}
    assert list(found(wrapped(looks))) == ["torch.export"]
    assert found(wrapped(lies))["torch.compile"].startswith("under torch.compile the outputs differ (relative gap ")


class Net(nn.Module):
    """A sound model: stride 2, 8 channels."""

    def __init__(self, in_channels: int, backbone: Any) -> None:
        super().__init__()
        self.backbone = PoolBackbone(in_channels, (2, 4)) if backbone is None else backbone
        self.encoder_channels, self.encoder_strides = self.backbone.channels, self.backbone.strides
        self.channels, self.stride = 8, self.encoder_strides[0]
        self.mix = nn.ModuleList(nn.Conv2d(width, 8, 1) for width in self.encoder_channels)

    def encode(self, image: Tensor) -> list[Tensor]:
        return list(self.backbone(image))

    def decode(self, features: list[Tensor]) -> Tensor:
        size = features[0].shape[-2:]
        maps = [F.interpolate(mix(f), size=size) for mix, f in zip(self.mix, features, strict=True)]
        return torch.stack(maps).sum(dim=0)

    def forward(self, image: Tensor) -> Tensor:
        return self.decode(self.encode(image))


def net(in_channels: int, *, backbone: Any) -> Any:
    return Net(in_channels, backbone)


def test_a_sound_model_passes() -> None:
    checks = check_model(net)
    assert failures(checks) == {}, report(checks)
    assert len(checks) == 1 + 5 * 5 + 8


def test_a_model_that_decodes_what_it_remembers_is_found() -> None:
    class Remembers(Net):
        def encode(self, image: Tensor) -> list[Tensor]:
            self.last = image.mean(dim=(1, 2, 3), keepdim=True)
            return super().encode(image)

        def decode(self, features: list[Tensor]) -> Tensor:
            return super().decode(features) + self.last

    def make(in_channels: int, *, backbone: Any) -> Any:
        return Remembers(in_channels, backbone)

    found = failures(check_model(make, bands=(2,), strides=()))
    assert list(found) == ["decode needs features only"]
    assert found["decode needs features only"].startswith("decode(encode(image)) differs from the call by ")


def test_a_model_with_a_wrong_stride_is_found() -> None:
    def make(in_channels: int, *, backbone: Any) -> Any:
        made = Net(in_channels, backbone)
        made.stride = 1
        return made

    found = failures(check_model(make, bands=(2,), strides=()))
    assert found["shapes"].startswith(
        "the decoder's feature of a 64x96 image has shape (2, 8, 32, 48), expected (2, 8, 64"
    )


def test_a_model_must_take_the_word_backbone() -> None:
    found = failures(check_model(lambda in_channels: Net(in_channels, None), bands=(2,), strides=()))
    assert found["signature"] == "the parameter `backbone` is missing"


def test_a_model_may_refuse_a_backbone_but_not_crash_on_it() -> None:
    def refuses(in_channels: int, *, backbone: Any) -> Any:
        if backbone is not None:
            raise PluginError("it has a backbone of its own")
        return Net(in_channels, None)

    def crashes(in_channels: int, *, backbone: Any) -> Any:
        return Net(in_channels, None if backbone is None else backbone.features)

    assert failures(check_model(refuses, bands=(2,))) == {}
    found = failures(check_model(crashes, bands=(2,)))
    assert found["builds"].startswith("AttributeError: 'PoolBackbone' object has no attribute 'features'")


def test_waiting_for_a_busy_processor_is_not_counted(tmp_path: Path) -> None:
    statistics = tmp_path / "schedstat"
    statistics.write_text("0 5000000000 1\n")
    assert own_seconds(statistics) == pytest.approx(time.perf_counter() - 5, abs=0.5)
    for text in ("", "0 many 1\n"):
        statistics.write_text(text)
        assert own_seconds(statistics) == pytest.approx(time.perf_counter(), abs=0.5)
    assert own_seconds(tmp_path / "gone") == pytest.approx(time.perf_counter(), abs=0.5)


def test_the_checks_leave_the_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check_backbone(sound, bands=(1,))
    check_model(net, bands=(1,))
    assert torch.equal(torch.rand(3), expected)


def test_the_report_counts() -> None:
    lines = report(check_backbone(FAULTS["kwargs"][0], bands=(1,))).splitlines()
    assert lines[0].startswith("FAILED  signature: `**_options` hides")
    assert lines[-1] == "13 checks, 1 failed"


def dataset(folder: Path, **change: Any) -> Any:
    """Two by three pixels of class 1 of a shipped tree, the last one of class `extra`."""
    image, label = folder / "image.tif", folder / "label.tif"
    extra = change.pop("extra", 1)
    with create(image, Grid(2, 3), count=2, dtype="uint8") as writer:
        writer.write(np.ones((2, 2, 3), dtype=np.uint8))
    with create(label, Grid(2, 3), count=1, dtype="uint8") as writer:
        writer.write(np.array([[[1, 1, 1], [1, 1, extra]]], dtype=np.uint8))
    fields = {"name": "x", "taxonomy": "indian_pines", "licence": "CC0", "citation": "A. Body (2026)"}
    return SimpleNamespace(**{"scenes": (Scene(image, label),), **fields, **change})


def test_a_sound_data_set_passes() -> None:
    checks = check_dataset(lambda folder: dataset(folder))
    assert failures(checks) == {}, report(checks)
    assert len(checks) == 5


@pytest.mark.parametrize(
    ("change", "check", "message"),
    [
        ({"licence": " "}, "states name, licence and citation", "`licence` must be text, not ' '"),
        ({"scenes": []}, "scenes", "`scenes` must be scenes, not []"),
        ({"scenes": ["scene.tif"]}, "scenes", "a scene is a str, not a hieratk.data.scenes.Scene"),
        ({"taxonomy": "no-such-tree"}, "taxonomy", "no taxonomy"),
        ({"extra": 77}, "scenes", "image.tif: label values [77] are not declared by indian_pines"),
    ],
)
def test_each_fault_of_a_data_set_is_named(change: dict[str, Any], check: str, message: str) -> None:
    found = failures(check_dataset(lambda folder: dataset(folder, **change)))
    assert list(found) == [check]
    assert message in found[check]


def test_a_data_set_of_files_that_are_not_there_fails() -> None:
    found = failures(check_dataset(lambda folder: dataset(folder, scenes=(Scene(folder / "gone.tif"),))))
    assert "gone.tif" in found["scenes"]


def test_the_example_of_the_author_s_guide_keeps_the_contract() -> None:
    """docs/plugins.md promises a backbone in 20 lines; the first Python block of the page is it."""
    page = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
    source = page.split("```python\n")[1].split("```")[0]
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
    names: dict[str, Any] = {}
    exec(compile(ast.parse(source), "docs/plugins.md", "exec"), names)
    checks = check_backbone(names["ladder"])
    assert all(check.passed for check in checks), report(checks)
