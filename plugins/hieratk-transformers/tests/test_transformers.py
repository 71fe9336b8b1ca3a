"""Backbones and models of transformers: the contract, weights, band counts, and their own classes made hierarchical."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoBackbone,
    BeitConfig,
    BeitForSemanticSegmentation,
    ConvNextConfig,
    ConvNextForImageClassification,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SwinConfig,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)

from hieratk.errors import PluginError
from hieratk.losses import BHCCMLoss
from hieratk.models import build
from hieratk.plugins import available, load
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from hieratk.testing import PoolBackbone, check_backbone, check_model, report
from hieratk.wrapping import hierarchical

TREE = Taxonomy.from_outline({"land": {"rice": 1, "maize": 2}, "water": 3})
STAGES = ["stage1", "stage2", "stage3", "stage4"]
VIT = {"hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 3, "out_indices": [1, 2, 3, 4]}
SMALL: dict[str, dict[str, Any]] = {
    "hf-swin": {"config": {"embed_dim": 24, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 4, 8]}},
    "hf-convnext": {"config": {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1]}},
    "hf-beit": {"config": {**VIT, "intermediate_size": 96}},
    "hf-dinov2": {"config": VIT},
    "hf-mit": {"config": {"hidden_sizes": [8, 16, 40, 64], "num_attention_heads": [1, 2, 5, 8]}},
    "hf-auto": {"architecture": "dinov3_vit", "config": {**VIT, "intermediate_size": 96}},
}
STRIDES = {"hf-dinov2": (14,) * 4, "hf-auto": (16,) * 4}
CONVNEXT = {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1], "out_features": STAGES}


def test_every_plugin_is_tested() -> None:
    ours = {n for n, plugin in available("backbone").items() if plugin.distribution == "hieratk-transformers"}
    assert ours == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_backbone_contract(name: str) -> None:
    factory = load("backbone", name)
    assert factory(4, **SMALL[name]).strides == STRIDES.get(name, (4, 8, 16, 32))
    checks = check_backbone(factory, options=SMALL[name], bands=(4,))
    assert all(check.passed for check in checks), report(checks)


LADDERS = ((1, 2, 4, 8), (4, 8, 16, 32), (3, 6), (14, 14, 14))


def test_segformer_keeps_the_contract_over_any_ladder_of_maps() -> None:
    checks = check_model(load("model", "hf-segformer"), options={"width": 16}, bands=(3,), strides=LADDERS)
    assert len([check for check in checks if check.name.endswith("builds")]) == 1 + len(LADDERS)
    assert all(check.passed for check in checks), report(checks)


def test_upernet_keeps_the_contract(flat: Any) -> None:
    """With the weights of a small one; the smallest published size takes a minute."""
    checks = check_model(load("model", "hf-upernet"), options={"weights": flat["upernet"][1]}, bands=(3,))
    assert all(check.passed for check in checks), report(checks)


@pytest.mark.parametrize("strides", LADDERS, ids=str)
def test_upernet_takes_any_ladder_of_maps(strides: tuple[int, ...]) -> None:
    net = load("model", "hf-upernet")(3, backbone=PoolBackbone(3, strides), width=8).eval()
    assert net(torch.randn(1, 3, 84, 168)).shape == (1, 8, 84 // strides[0], 168 // strides[0])


@pytest.mark.parametrize("bands", [1, 4, 10])
@pytest.mark.parametrize("backbone", ["hf-swin", "hf-convnext", "hf-beit", "hf-dinov2", "hf-mit"])
def test_upernet_and_segformer_train_one_step_over_each(backbone: str, bands: int) -> None:
    name, options = ("hf-upernet", {"width": 16}) if bands != 4 else ("hf-segformer", {"width": 16})
    model = build(name, TREE, in_channels=bands, backbone=backbone, backbone_options=SMALL[backbone], options=options)
    logits = model.train()(torch.randn(2, bands, 50, 41))
    assert logits.shape == (2, 5, 50, 41)
    labels = TaxonomyTensors(TREE).encode(torch.randint(1, 4, (2, 50, 41)))
    loss = BHCCMLoss(TREE)(logits, labels)
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, str]]:
    """Models of transformers with random weights, and the folders they were saved to."""
    torch.manual_seed(4)
    mit = SegformerConfig(decoder_hidden_size=16, num_labels=3, **SMALL["hf-mit"]["config"])
    made: dict[str, Any] = {
        "segformer": SegformerForSemanticSegmentation(mit),
        "upernet": UperNetForSemanticSegmentation(_upernet(ConvNextConfig(**CONVNEXT))),
        "convnext": ConvNextForImageClassification(ConvNextConfig(**CONVNEXT)),
    }
    root = tmp_path_factory.mktemp("weights")
    for name, model in made.items():
        for module in model.modules():  # running statistics other than the initial ones
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
        model.eval().save_pretrained(root / name)
    return {name: (model, str(root / name)) for name, model in made.items()}


def _upernet(backbone: Any, **more: Any) -> UperNetConfig:
    return UperNetConfig(backbone_config=backbone, hidden_size=16, use_auxiliary_head=False, num_labels=3, **more)


@pytest.mark.parametrize("name", ["segformer", "upernet"])
def test_with_the_same_weights_it_gives_what_transformers_gives(flat: Any, name: str) -> None:
    """The features before the classifier, put through transformers' own classifier."""
    theirs, folder = flat[name]
    ours = load("model", f"hf-{name}")(3, backbone=None, weights=folder).eval()
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        logits = theirs(image).logits
        features = ours(image)
        mine = theirs.decode_head.classifier(features)
        if mine.shape != logits.shape:
            mine = torch.nn.functional.interpolate(mine, size=logits.shape[-2:], mode="bilinear", align_corners=False)
        torch.testing.assert_close(mine, logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["segformer", "upernet"])
def test_weights_of_three_bands_are_fitted_to_one_and_to_six(flat: Any, name: str) -> None:
    """A grey image gives the same whether as one band, as three or as six."""
    grey = torch.randn(1, 1, 64, 64)
    outputs = []
    for bands in (3, 1, 6):
        net = load("model", f"hf-{name}")(bands, backbone=None, weights=flat[name][1]).eval()
        with torch.no_grad():
            outputs.append(net(grey.expand(1, bands, 64, 64)))
    torch.testing.assert_close(outputs[1], outputs[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(outputs[2], outputs[0], atol=1e-4, rtol=1e-4)


def test_a_classifier_s_weights_become_a_backbone_s(flat: Any) -> None:
    theirs, folder = flat["convnext"]
    ours = load("backbone", "hf-convnext")(3, weights=folder).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = theirs.convnext(image, output_hidden_states=True).hidden_states[-1]
        found = ours.network.encoder(ours.network.embeddings(image)).last_hidden_state
    torch.testing.assert_close(found, expected)
    assert ours.strides == (4, 8, 16, 32)


def test_dinov2_like_weights_come_by_auto(tmp_path: Path) -> None:
    from transformers import CONFIG_MAPPING

    torch.manual_seed(1)
    theirs = AutoBackbone.from_config(CONFIG_MAPPING["dinov2"](**VIT)).eval()
    theirs.save_pretrained(tmp_path)
    ours = load("backbone", "hf-auto")(3, weights=str(tmp_path), layers=[2, 4]).eval()
    image = torch.randn(1, 3, 28, 42)
    with torch.no_grad():
        torch.testing.assert_close(ours(image)[-1], theirs(image).feature_maps[-1])
    assert ours.strides == (14, 14)
    assert not ours.network.embeddings.mask_token.requires_grad


@pytest.mark.parametrize(
    "make",
    [
        lambda: SegformerForSemanticSegmentation(SegformerConfig(num_labels=3, **SMALL["hf-mit"]["config"])),
        lambda: UperNetForSemanticSegmentation(_upernet(ConvNextConfig(**CONVNEXT))),
        lambda: UperNetForSemanticSegmentation(_upernet(SwinConfig(**SMALL["hf-swin"]["config"], out_features=STAGES))),
        lambda: UperNetForSemanticSegmentation(
            UperNetConfig(
                backbone_config=BeitConfig(**VIT, intermediate_size=96, add_fpn=True),
                hidden_size=16,
                num_labels=3,
                auxiliary_channels=8,
            )
        ),
        lambda: BeitForSemanticSegmentation(BeitConfig(**VIT, intermediate_size=96, num_labels=3, image_size=64)),
    ],
    ids=["segformer", "upernet-convnext", "upernet-swin", "upernet-beit", "beit"],
)
def test_a_flat_model_of_transformers_becomes_hierarchical(make: Any) -> None:
    """Its classifier alone is replaced; the auxiliary head's, which has as many classes, is not."""
    torch.manual_seed(0)
    flat = make()
    before = {name: value.clone() for name, value in flat.state_dict().items()}
    model = hierarchical(flat, TREE, multiple=32)
    assert model.layers == ("decode_head.classifier",)
    after = flat.state_dict()
    changed = [name for name in before if before[name].shape != after[name].shape]
    assert changed == ["decode_head.classifier.weight", "decode_head.classifier.bias"]
    assert all(torch.equal(before[name], after[name]) for name in before if name not in changed)
    image = torch.randn(2, 3, 64, 64)
    labels = TaxonomyTensors(TREE).encode(torch.randint(1, 4, (2, 64, 64)))
    logits = model.train()(image)
    assert logits.shape == (2, 5, 64, 64)
    BHCCMLoss(TREE)(logits, labels).backward()
    assert flat.decode_head.classifier.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("kind", "name", "options", "message"),
    [
        ("backbone", "hf-swin", {"config": {"embed_dims": 8}}, "a configuration of swin has no field embed_dims"),
        ("backbone", "hf-swin", {"weights": "gone/folder"}, "no configuration of transformers at 'gone/folder'"),
        ("backbone", "hf-auto", {}, "give either `weights` or `architecture`"),
        ("backbone", "hf-auto", {"architecture": "bert"}, "backbone 'hf-auto': "),
        ("model", "hf-upernet", {"encoder": "beit", "size": "tiny"}, "'size' of beit is one of base, large, not tiny"),
    ],
)
def test_wrong_options_are_explained(kind: Any, name: str, options: dict[str, Any], message: str) -> None:
    given = {"backbone": None} if kind == "model" else {}
    with pytest.raises(PluginError) as caught:
        load(kind, name)(3, **given, **options)
    assert str(caught.value).startswith(f"{kind} '{name}'")
    assert message in str(caught.value)


def test_weights_with_a_backbone_are_refused(flat: Any) -> None:
    with pytest.raises(PluginError, match="hold their own backbone"):
        load("model", "hf-upernet")(3, backbone=PoolBackbone(3, (4, 8)), weights=flat["upernet"][1])
    with pytest.raises(PluginError, match="are of convnext, not of upernet"):
        load("model", "hf-upernet")(3, backbone=None, weights=flat["convnext"][1])
