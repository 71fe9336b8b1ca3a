"""Time and memory of the losses, forward and backward, against torch's cross-entropy level by level on the same logits.

    python benchmarks/losses.py --threads 2

Times are the least of some interleaved rounds in one process, so that ratios hold on a busy machine too. Memory is the
peak of a fresh process beyond the logits and labels (Linux only). `floor` is one read of the logits and one write of
their gradient at the speed of copying a tensor of that size.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import hieratk as hk
from hieratk.kernels import chunks
from hieratk.losses import NAMES, BHCCMLoss, terms
from hieratk.losses.options import weights_of_levels
from hieratk.losses.target import Target
from hieratk.tensors import IGNORE, TaxonomyTensors

LARGE = {f"a{i}": {f"a{i}b{j}": {f"a{i}b{j}c{k}": None for k in range(12)} for j in range(25)} for i in range(30)}
"""A tree of three levels with 30 + 750 + 9,000 nodes."""


def tree_of(name: str) -> hk.Taxonomy:
    return hk.Taxonomy.from_outline(LARGE) if name == "10k" else hk.load(name)


def batch(tree: TaxonomyTensors, images: int, size: int, *, coarse: float) -> tuple[Tensor, Tensor]:
    """Random logits, and labels of random leaves, a share of them known at the first level only."""
    generator = torch.Generator().manual_seed(0)
    leaves = torch.randint(0, len(tree.paths), (images, size, size), generator=generator)
    labels = (tree.paths - torch.tensor(tree.tables.offsets[:-1].copy()))[leaves].movedim(-1, 1).contiguous()
    if coarse:
        unknown = torch.rand((images, 1, size, size), generator=generator) < coarse
        labels[:, 1:] = torch.where(unknown, IGNORE, labels[:, 1:])
    logits = torch.randn(images, tree.channels, size, size, generator=generator) * 3
    return logits.requires_grad_(), labels


def rivals(taxonomy: hk.Taxonomy) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    tree = TaxonomyTensors(taxonomy)
    weights = weights_of_levels(tree, None)

    def torch_level_ce(logits: Tensor, labels: Tensor) -> Tensor:
        parts = enumerate(tree.split(logits))
        return torch.stack(
            [w * F.cross_entropy(z, labels[:, i]) for (i, z), w in zip(parts, weights, strict=True)]
        ).sum()

    whole = BHCCMLoss(taxonomy)

    def bhccm_plain(logits: Tensor, labels: Tensor) -> Tensor:
        target = Target(tree, labels, stratified=True)
        return terms.reduce(whole.terms(target, terms.prepare(logits, target)), "mean")

    ours = {name: loss(taxonomy) for name, loss in NAMES.items()}
    return {"torch level CE": torch_level_ce, **ours, "bhccm plain": bhccm_plain}


def step(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> float:
    start = time.perf_counter()
    # Not `backward`: in training the logits are no leaf, while a leaf copies a gradient that a loss keeps to itself.
    torch.autograd.grad(loss(logits, labels), logits)
    return time.perf_counter() - start


def times(calls: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Least time of each in `rounds` interleaved rounds."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(call())
    return {name: min(seen) for name, seen in found.items()}


def copy_time(logits: Tensor) -> float:
    source, target = logits.detach(), torch.zeros_like(logits)
    start = time.perf_counter()
    target.copy_(source)
    return time.perf_counter() - start


def peak(name: str, taxonomy: str, images: int, size: int, threads: int, *, coarse: float) -> float | None:
    """MB beyond logits and labels of one step, in a process of its own; None where the system cannot tell."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    arguments = ["--peak", name, "--taxonomy", taxonomy, "--images", str(images), "--size", str(size)]
    arguments += ["--coarse", str(coarse)]
    done = subprocess.run(
        [sys.executable, __file__, *arguments, "--threads", str(threads)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def print_peak(name: str, taxonomy: str, images: int, size: int, *, coarse: float) -> None:
    loss = rivals(tree_of(taxonomy))[name]
    tree = TaxonomyTensors(tree_of(taxonomy))
    # First a small step, so that what is loaded once does not count.
    step(loss, *batch(tree, 1, 8, coarse=coarse))
    logits, labels = batch(tree, images, size, coarse=coarse)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    step(loss, logits, labels)
    print((memory("VmHWM") - before) / 1024)


def memory(key: str) -> int:
    """kB, from the kernel's account of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key)))


def compare(
    taxonomy: str, images: int, size: int, *, rounds: int, threads: int, coarse: float, peaks: bool, only: list[str]
) -> dict:
    tree = TaxonomyTensors(tree_of(taxonomy))
    logits, labels = batch(tree, images, size, coarse=coarse)
    every = rivals(tree.taxonomy)
    losses = {name: loss for name, loss in every.items() if name in ("torch level CE", *(only or every))}
    calls = {name: lambda loss=loss: step(loss, logits, labels) for name, loss in losses.items()}
    found = times({**calls, "copy": lambda: copy_time(logits)}, rounds)
    floor, base = found.pop("copy"), found["torch level CE"]
    print(f"\n{taxonomy}: {tree.channels} nodes, {images} x {size}^2, {coarse:.0%} coarse labels, {threads} threads")
    print(f"{'':16}{'ms':>9}{'x torch':>9}{'x floor':>9}{'ns/node':>9}{'peak MB':>9}{'x torch':>9}")
    measured = {name: peak(name, taxonomy, images, size, threads, coarse=coarse) for name in losses} if peaks else {}
    rows = {}
    for name, seconds in found.items():
        of_node = seconds / logits.numel() * 1e9
        mb, base_mb = measured.get(name), measured.get("torch level CE")
        shown = f"{mb:9.0f}{mb / base_mb:9.2f}" if mb is not None and base_mb else ""
        print(f"{name:16}{seconds * 1e3:9.1f}{seconds / base:9.2f}{seconds / floor:9.1f}{of_node:9.2f}{shown}")
        rows[name] = {
            "ms": seconds * 1e3,
            "ratio": seconds / base,
            "floor": seconds / floor,
            "ns_per_node": of_node,
            "peak_mb": mb,
        }
    return {
        "taxonomy": taxonomy,
        "nodes": tree.channels,
        "images": images,
        "size": size,
        "coarse": coarse,
        "logits_mb": logits.nbytes / 2**20,
        "rows": rows,
    }


def summary(small: dict, hcat3: dict, large: dict) -> None:
    """What is asked of BHCCM, beside what was measured."""
    first, middle, last = (case["rows"]["bhccm"] for case in (small, hcat3, large))
    at_hcat3, at_large = (row["ns_per_node"] / first["ns_per_node"] for row in (middle, last))
    print(
        f"\nbhccm at mm5b: {first['ratio']:.2f} times torch (asked: at most 1.1), {first['floor']:.0f} times the floor"
    )
    print(f"time per node over that at mm5b: hcat3 {at_hcat3:.2f} (asked: at most 1.3), 10k {at_large:.2f}")
    if first["peak_mb"]:
        ratio = first["peak_mb"] / small["rows"]["torch level CE"]["peak_mb"]
        of_small, of_large = first["peak_mb"] / small["logits_mb"], last["peak_mb"] / large["logits_mb"]
        print(f"peak memory at mm5b: {ratio:.2f} times torch (asked: at most 1.2)")
        print(f"peak memory over the logits (asked: linear in N): mm5b {of_small:.2f}, 10k {of_large:.2f}")


def chunk_sizes(images: int, size: int, rounds: int) -> None:
    """How the time of BHCCM depends on the size of a chunk."""
    taxonomy = hk.load("mm5b")
    logits, labels = batch(TaxonomyTensors(taxonomy), images, size, coarse=0.0)
    loss = BHCCMLoss(taxonomy)

    def call(exponent: int) -> float:
        chunks.CHUNK = 2**exponent
        return step(loss, logits, labels)

    default = chunks.CHUNK
    found = times({f"2**{e}": lambda e=e: call(e) for e in range(15, 22)}, rounds)
    chunks.CHUNK = default
    print("\nbhccm, mm5b, by logits a chunk: " + ", ".join(f"{name} {s * 1e3:.0f} ms" for name, s in found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--taxonomy", help="only this one; `10k` is a made tree of 9,780 nodes")
    parser.add_argument("--coarse", type=float, default=0.0, help="share of labels known at the first level only")
    parser.add_argument("--only", nargs="+", default=[], help="these losses, beside torch's")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.peak:
        print_peak(args.peak, args.taxonomy, args.images, args.size, coarse=args.coarse)
        return
    common = {"rounds": args.rounds, "threads": args.threads, "only": args.only}
    if args.taxonomy:
        found = [compare(args.taxonomy, args.images, args.size, coarse=args.coarse, peaks=True, **common)]
    else:
        found = [
            compare("mm5b", args.images, args.size, coarse=0.0, peaks=True, **common),
            compare("mm5b", args.images, args.size, coarse=0.5, peaks=False, **common),
            compare("hcat3", 1, args.size // 4, coarse=0.0, peaks=False, **common),
            compare("10k", 1, args.size // 16, coarse=0.0, peaks=True, **common),
        ]
        chunk_sizes(args.images, args.size, args.rounds)
        if "bhccm" in found[0]["rows"]:
            summary(found[0], *found[2:])
    if args.json:
        about = {"torch": torch.__version__, "threads": args.threads, "cases": found}
        args.json.write_text(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
