"""What a module leaves behind: state outside itself, memory, and graphs that torch's compilers can take."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hieratk.testing.checks import expect, few


def outputs(module: Any, image: Tensor) -> list[Tensor]:
    """What a backbone (several tensors) or a model (one) gives, as a list."""
    out = module(image)
    return [out] if isinstance(out, Tensor) else list(out)


def no_hidden_state(make: Callable[[], Any], image: Tensor) -> None:
    """Raise ContractError where a second instance changes the first one, or making and running one changes the process.

    What the process is made of here: torch's default dtype, threads, gradient mode, precision and determinism, and the
    random states of Python and numpy (torch's own is for plugins to use).
    """
    before = _settings()
    one = make().eval()
    with torch.no_grad():
        first = [out.clone() for out in outputs(one, image)]
    other = make().train()
    with torch.no_grad():
        outputs(other, torch.randn_like(image))
        again = outputs(one, image)
    same = all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    expect(same, "a second instance changes the first one's output: state is kept outside the module, in a global")
    changed = [name for name, value in _settings().items() if value != before[name]]
    expect(not changed, f"it changes {few(changed)} of the whole process")


def frees_memory(make: Callable[[], Any], image: Tensor) -> None:
    """Raise ContractError where calls leave tensors behind, or where a module outlives its last use."""
    gc.collect()
    # What is there already is no concern of the check, and need not be walked through at every count.
    gc.freeze()
    try:
        module = make()
        alive = []
        for call in range(5):
            _backward(module, image)
            if call > 1:  # the first calls may fill caches and gradients
                alive.append(_bytes_alive())
        left = (alive[-1] - alive[0]) // (len(alive) - 1)
        growing = alive == sorted(alive) and left > 0
        expect(
            not growing, f"each call leaves {left:,} more bytes of tensors in memory; keep no outputs, or detach them"
        )
        gone = weakref.ref(module)
        del module
        gc.collect()
        expect(gone() is None, "the module stays in memory after its last use: something global still holds it")
    finally:
        gc.unfreeze()


def _backward(module: Any, image: Tensor) -> None:
    loss = sum(out.square().mean() for out in outputs(module, image))
    assert isinstance(loss, Tensor)
    loss.backward()  # type: ignore[no-untyped-call]


def compiles(make: Callable[[], Any], image: Tensor) -> None:
    """Raise ContractError where `torch.compile` changes the output. Its graphs are run without generating code."""
    torch._dynamo.reset()
    module = make().eval()
    with torch.no_grad():
        plain = outputs(module, image)
        compiled = outputs(torch.compile(module, backend="aot_eager"), image)
    torch._dynamo.reset()
    _near(compiled, plain, "under torch.compile")


def exports(make: Callable[[], Any], image: Tensor) -> None:
    """Raise ContractError where what `torch.export` makes of it gives something else for another image."""
    module = make().eval()
    with torch.no_grad():
        program = torch.export.export(module, (image,), strict=False).module()
        other = torch.randn_like(image)
        _near(outputs(program, other), outputs(module, other), "after torch.export")


def _near(found: list[Tensor], wanted: list[Tensor], when: str) -> None:
    pairs = list(zip(found, wanted, strict=True))
    gap = max(float((a - b).abs().max() / (b.abs().max() + 1e-6)) for a, b in pairs)
    expect(gap < 1e-3, f"{when} the outputs differ (relative gap {gap:.3g})")


def _settings() -> dict[str, Any]:
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - the global generator is what is watched
    return {
        "torch.get_default_dtype()": torch.get_default_dtype(),
        "torch.get_num_threads()": torch.get_num_threads(),
        "torch.is_grad_enabled()": torch.is_grad_enabled(),
        "torch.get_float32_matmul_precision()": torch.get_float32_matmul_precision(),
        "torch.are_deterministic_algorithms_enabled()": torch.are_deterministic_algorithms_enabled(),
        "torch.backends.cudnn.benchmark": torch.backends.cudnn.benchmark,
        "the state of Python's random": hash(random.getstate()),
        "the state of numpy.random": (numpy_state["state"]["key"].tobytes(), numpy_state["state"]["pos"]),
    }


def _bytes_alive() -> int:
    gc.collect()
    tensors = (thing for thing in gc.get_objects() if issubclass(type(thing), Tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
