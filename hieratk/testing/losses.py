"""Whether a loss plugin keeps its contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hieratk.diagnostics import Source
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.tables import IGNORE, compile_tables
from hieratk.taxonomy.tree import Taxonomy
from hieratk.testing.checks import Check, Run, check_signature, expect

TREE = """\
hieratk: taxonomy/1
id: ragged
version: 1.0.0
levels: [cover, class, crop]
tree:
  land: {fields: {rice: 1, maize: 2}, forest: 3}
  water: {lake: 4}
  ice: 5
"""
"""What losses are tried on: leaves on three levels, a class that stands alone below another."""


def check_loss(factory: Callable[..., Any], *, options: Mapping[str, Any] | None = None) -> list[Check]:
    """Whether a factory gives a loss as `hieratk.protocols.LossFactory` says."""
    run = Run()
    run.check("signature", lambda: check_signature(factory, first="taxonomy"))
    taxonomy, _ = read(Source("ragged.yaml", TREE))
    assert taxonomy is not None
    made: list[Any] = []
    if not run.check("builds", lambda: made.append(factory(taxonomy, **(options or {})))):
        return run.checks
    loss = made[0]
    if not run.check("is a module", lambda: expect(isinstance(loss, nn.Module), f"a {type(loss).__name__} is none")):
        return run.checks
    run.check("value", lambda: _value(loss, taxonomy))
    run.check("gradient", lambda: _gradient(loss, taxonomy))
    run.check("void pixels", lambda: _void(loss, taxonomy))
    run.check("coarse labels", lambda: _coarse(loss, taxonomy))
    run.check("half precision", lambda: _half(loss, taxonomy))
    run.check("large logits", lambda: _large(loss, taxonomy))
    run.check("leaves its input alone", lambda: _untouched(loss, taxonomy))
    return run.checks


def _batch(taxonomy: Taxonomy, *, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Logits (2, N, 4, 5) and labels (2, L, 4, 5), every fifth pixel void."""
    tables = compile_tables(taxonomy)
    logits = scale * torch.randn(2, tables.channels, 4, 5)
    leaf = torch.randint(len(tables.leaves), (2, 4, 5))
    labels = torch.stack([torch.tensor(tables.level_of_leaf(level))[leaf] for level in range(len(tables.sizes))], 1)
    labels[..., 0] = IGNORE
    return logits, labels


def _scalar(value: Any) -> Tensor:
    expect(isinstance(value, Tensor) and value.ndim == 0, "a call must give a tensor with one number")
    assert isinstance(value, Tensor)
    expect(bool(torch.isfinite(value)), f"the value is {value.item()}")
    return value


def _value(loss: nn.Module, taxonomy: Taxonomy) -> None:
    logits, labels = _batch(taxonomy)
    first, second = _scalar(loss(logits, labels)), _scalar(loss(logits, labels))
    expect(torch.equal(first, second), f"two calls on the same input give {first.item()} and {second.item()}")


def _gradient(loss: nn.Module, taxonomy: Taxonomy) -> None:
    logits, labels = _batch(taxonomy)
    logits.requires_grad_()
    _scalar(loss(logits, labels)).backward()  # type: ignore[no-untyped-call]  # torch does not type it
    expect(logits.grad is not None and bool(logits.grad.any()), "no gradient reaches the logits")
    assert logits.grad is not None
    expect(bool(torch.isfinite(logits.grad).all()), "the gradient is not finite everywhere")


def _void(loss: nn.Module, taxonomy: Taxonomy) -> None:
    """Pixels without a label add nothing, and a batch of nothing else is no NaN."""
    logits, labels = _batch(taxonomy)
    other = logits.clone()
    other[..., 0] = 5 * torch.randn_like(other[..., 0])
    expect(torch.equal(loss(logits, labels), loss(other, labels)), "the logits of void pixels change the value")
    logits.requires_grad_()
    value = _scalar(loss(logits, torch.full_like(labels, IGNORE)))
    value.backward()  # type: ignore[no-untyped-call]
    expect(value.item() == 0, f"a batch without a label gives {value.item()}, not 0")
    expect(logits.grad is not None and not logits.grad.any(), "a batch without a label has a gradient")


def _coarse(loss: nn.Module, taxonomy: Taxonomy) -> None:
    logits, labels = _batch(taxonomy)
    labels[:, 1:] = IGNORE
    _scalar(loss(logits, labels))


def _half(loss: nn.Module, taxonomy: Taxonomy) -> None:
    logits, labels = _batch(taxonomy)
    exact = loss(logits, labels).item()
    for dtype in (torch.float16, torch.bfloat16):
        value = _scalar(loss(logits.to(dtype), labels)).item()
        near = abs(value - exact) <= 0.05 * abs(exact) + 0.05
        expect(near, f"{str(dtype).removeprefix('torch.')} logits give {value:.4g}, float32 ones {exact:.4g}")


def _large(loss: nn.Module, taxonomy: Taxonomy) -> None:
    logits, labels = _batch(taxonomy, scale=1e4)
    logits.requires_grad_()
    _scalar(loss(logits, labels)).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    expect(bool(torch.isfinite(logits.grad).all()), "the gradient at logits of 1e4 is not finite")


def _untouched(loss: nn.Module, taxonomy: Taxonomy) -> None:
    logits, labels = _batch(taxonomy)
    before = logits.clone(), labels.clone()
    loss(logits, labels)
    expect(torch.equal(logits, before[0]) and torch.equal(labels, before[1]), "it writes into logits or labels")
