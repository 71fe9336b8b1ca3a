"""Losses by strangers: found by name, held to a contract, each planted fault with its own words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from hieratk.errors import ConfigError
from hieratk.losses import NAMES, LevelCELoss, by_name
from hieratk.taxonomy.tree import Taxonomy
from hieratk.testing import check_loss, report


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (tmp_path / "strange_loss.py").write_text(
        "from hieratk.losses import LevelCELoss\n\n\ndef halved(taxonomy, *, factor: float = 0.5):\n"
        "    return LevelCELoss(taxonomy)\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hieratk.losses]\nhalved = strange_loss:halved\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("name", NAMES)
def test_our_own_losses_keep_the_contract(name: str) -> None:
    checks = check_loss(NAMES[name])
    assert len(checks) == 10
    assert all(check.passed for check in checks), report(checks)


@pytest.mark.usefixtures("stranger")
def test_a_strangers_loss_is_found_by_name() -> None:
    assert by_name("halved").__name__ == "halved"
    with pytest.raises(ConfigError, match=r"no loss `halvd`; did you mean `halved`\?"):
        by_name("halvd")


class _Loss(nn.Module):
    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.inner = LevelCELoss(taxonomy)


class PerPixel(_Loss):
    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.inner(logits, labels).expand(3)


class Random(_Loss):
    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.inner(logits, labels) * torch.rand(())


class VoidIsClassZero(_Loss):
    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.inner(logits, labels.clamp(min=0))


class Writes(_Loss):
    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        value = self.inner(logits, labels)
        labels[labels < 0] = 0
        return value


class Detached(_Loss):
    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.inner(logits.detach(), labels) + 0 * logits.sum()


class Overflows(_Loss):
    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.inner(logits, labels) + 0 * logits.double().exp().sum()


class DividesByNothing(_Loss):
    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        n = (labels >= 0).sum()
        return self.inner(logits, labels) * n / n


@pytest.mark.parametrize(
    ("loss", "check", "words"),
    [
        (PerPixel, "value", "must give a tensor with one number"),
        (Random, "value", "two calls on the same input give"),
        (VoidIsClassZero, "void pixels", "the logits of void pixels change the value"),
        (DividesByNothing, "void pixels", "the value is nan"),
        (Writes, "leaves its input alone", "it writes into logits or labels"),
        (Detached, "gradient", "no gradient reaches the logits"),
        (Overflows, "large logits", "the value is nan"),
    ],
)
def test_planted_faults(loss: type[_Loss], check: str, words: str) -> None:
    failed = {each.name: each.message for each in check_loss(loss) if not each.passed}
    assert words in failed[check]


def test_a_signature_that_is_no_schema() -> None:
    def loose(tree: Taxonomy) -> nn.Module:
        return LevelCELoss(tree)

    (failed, *_) = [check for check in check_loss(loose) if not check.passed]
    assert failed.name == "signature"
    assert "the first parameter must be `taxonomy`" in failed.message
