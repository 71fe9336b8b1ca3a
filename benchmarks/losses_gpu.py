"""BHCCM on a GPU: forward and backward beside torch's flat cross-entropy, and the share of the copy bandwidth used.

    python benchmarks/losses_gpu.py

What is asked: no slower than torch's cross-entropy, forward and backward, on the leaf logits alone; and at least 70 %
of the measured copy bandwidth, counting one read of the logits and one write of their gradient (so the least time is
that of copying a tensor of their size). bfloat16 and float32, 16 x 512^2, 31 nodes (mm5b) and 384 (hcat3). Before any
timing the kernel is held against its plain twin on a small batch. NOT RUN YET: there was no GPU where this was written.

What to expect: the kernel reads the logits from memory once, a second time from cache, and writes their gradient once;
the backward pass moves nothing where the gradient of the value is 1. Labels that differ in depth cost some passes over
the labels more (`Target.code`), which the row `a tenth coarse` shows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import hieratk as hk
from hieratk.kernels import marginal_triton
from hieratk.losses import BHCCMLoss, terms
from hieratk.losses.target import Target
from hieratk.tensors import IGNORE, TaxonomyTensors


def batch(tree: TaxonomyTensors, images: int, size: int, dtype: torch.dtype, *, coarse: float) -> tuple[Tensor, Tensor]:
    """Random logits, and labels of random leaves, a share `coarse` of them known at the first level only."""
    torch.manual_seed(0)
    device = tree.paths.device
    leaves = torch.randint(len(tree.paths), (images, size, size), device=device)
    first = torch.tensor(tree.tables.offsets[:-1].copy(), device=device)
    labels = (tree.paths - first)[leaves].movedim(-1, 1).contiguous()
    cut = torch.rand((images, 1, size, size), device=device) < coarse
    labels[:, 1:] = torch.where(cut, IGNORE, labels[:, 1:])
    logits = torch.randn(images, tree.channels, size, size, device=device, dtype=dtype) * 3
    return logits.requires_grad_(), labels


def check(taxonomy: hk.Taxonomy, dtype: torch.dtype) -> None:
    """The kernel and its twin on a small batch; raises AssertionError where they differ."""
    tree, loss = TaxonomyTensors(taxonomy).cuda(), BHCCMLoss(taxonomy).cuda()
    logits, labels = batch(tree, 2, 40, dtype, coarse=0.1)
    assert marginal_triton.usable(logits), "the kernel cannot run: is triton installed?"
    value = loss(logits, labels)
    (gradient,) = torch.autograd.grad(value, logits)
    # In float64 and from the same rounded logits.
    exact = logits.detach().double().requires_grad_()
    target = Target(tree, labels, stratified=True)
    expected = terms.reduce(loss.terms(target, terms.prepare(exact, target)), "mean")
    (of_exact,) = torch.autograd.grad(expected, exact)
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=0)
    if dtype == torch.float32:
        torch.testing.assert_close(gradient.double(), of_exact, rtol=1e-3, atol=1e-7)
    sums, of_sums = gradient.double().sum(1), of_exact.sum(1)
    torch.testing.assert_close(sums, of_sums, rtol=2e-2, atol=float(of_exact.abs().max()) * 2e-2)


def milliseconds(call: Callable[[], object], rounds: int) -> float:
    """Median time on the device."""
    for _ in range(5):
        call()
    times = []
    for _ in range(rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def compare(name: str, images: int, size: int, dtype: torch.dtype, rounds: int) -> dict[str, object]:
    taxonomy = hk.load(name)
    check(taxonomy, dtype)
    tree, loss = TaxonomyTensors(taxonomy).cuda(), BHCCMLoss(taxonomy).cuda()
    logits, labels = batch(tree, images, size, dtype, coarse=0.0)
    _, coarse = batch(tree, images, size, dtype, coarse=0.1)
    leaves = logits.detach()[:, int(tree.tables.offsets[-2]) :].contiguous().requires_grad_()
    compiled = torch.compile(lambda z: loss(z, labels) * 1.0)

    def step(value: Callable[[], Tensor], z: Tensor) -> Callable[[], object]:
        def once() -> None:
            z.grad = None
            value().backward()

        return once

    source, copy = logits.detach(), torch.empty_like(logits)
    found = {
        "copy": milliseconds(lambda: copy.copy_(source), rounds),
        "torch leaf CE": milliseconds(
            step(lambda: F.cross_entropy(leaves, labels[:, -1], ignore_index=IGNORE), leaves), rounds
        ),
        "bhccm": milliseconds(step(lambda: loss(logits, labels), logits), rounds),
        "bhccm, a tenth coarse": milliseconds(step(lambda: loss(logits, coarse), logits), rounds),
        "bhccm, forward alone": milliseconds(lambda: loss(logits, labels), rounds),
        "bhccm in torch.compile": milliseconds(step(lambda: compiled(logits), logits), rounds),
    }
    print(f"\n{name}: {tree.channels} nodes, {images} x {size}^2, {dtype}")
    for what, ms in found.items():
        print(f"{what:24}{ms:9.3f} ms   {found['copy'] / ms:6.1%} of the copy bandwidth")
    print(f"bhccm over torch leaf CE: {found['bhccm'] / found['torch leaf CE']:.2f} (asked: at most 1)")
    print(f"bhccm of the copy bandwidth: {found['copy'] / found['bhccm']:.1%} (asked: at least 70 %)")
    return {"taxonomy": name, "nodes": tree.channels, "dtype": str(dtype), "ms": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("no GPU: torch.cuda.is_available() is False")
    found = [
        compare(name, args.images, args.size, dtype, args.rounds)
        for name in ("mm5b", "hcat3")
        for dtype in (torch.bfloat16, torch.float32)
    ]
    if args.json:
        about = {"torch": torch.__version__, "device": torch.cuda.get_device_name(), "cases": found}
        args.json.write_text(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
