"""One check, how a list of them is run, and what holds for factories of every kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from hieratk.errors import HieratkError
from hieratk.plugins import SUBJECTS


@dataclass(frozen=True, slots=True)
class Check:
    """What was checked, whether it holds, and, where it does not, what was expected and what came."""

    name: str
    passed: bool
    message: str = ""

    def __str__(self) -> str:
        return f"ok      {self.name}" if self.passed else f"FAILED  {self.name}: {self.message}"


def report(checks: Sequence[Check]) -> str:
    """The checks as lines, with a count of what failed at the end."""
    failed = sum(not check.passed for check in checks)
    return "\n".join([*map(str, checks), f"{len(checks)} checks, {failed} failed"])


class ContractError(AssertionError):
    """A sentence that says what a plugin does against the contract; raised within a check, never out of this module."""


@dataclass
class Run:
    """The checks so far, in order."""

    checks: list[Check] = field(default_factory=list)

    def check(self, name: str, test: Callable[[], object]) -> bool:
        """Run one check from a fixed seed; whatever a stranger's code raises becomes its message."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                test()
            except (ContractError, HieratkError) as error:
                self.checks.append(Check(name, False, str(error)))
            except Exception as error:
                self.checks.append(Check(name, False, f"{type(error).__name__}: {error}"))
            else:
                self.checks.append(Check(name, True))
        return self.checks[-1].passed


def expect(holds: bool, sentence: str) -> None:
    """Raise ContractError with the sentence where something does not hold."""
    if not holds:
        raise ContractError(sentence)


def few(names: Sequence[str]) -> str:
    """The first four names, and how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def check_signature(factory: Callable[..., Any], *, first: str, also: tuple[str, ...] = ()) -> None:
    """Raise ContractError where a factory's signature is no option schema (see `hieratk.protocols`)."""
    parameters = list(inspect.signature(factory).parameters.values())
    expect(bool(parameters) and parameters[0].name == first, f"the first parameter must be `{first}`")
    for name in also:
        found = [p for p in parameters if p.name == name]
        expect(bool(found), f"the parameter `{name}` is missing")
        expect(found[0].kind is inspect.Parameter.KEYWORD_ONLY, f"`{name}` must be keyword-only (after a `*`)")
    for parameter in parameters[1:]:
        several = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        stars = "*" * (1 + (parameter.kind is parameter.VAR_KEYWORD))
        expect(not several, f"`{stars}{parameter.name}` hides the options; name each one in the signature")
        if parameter.name in SUBJECTS:
            continue
        keyword = parameter.kind is parameter.KEYWORD_ONLY
        expect(keyword, f"option `{parameter.name}` must be keyword-only (after a `*`)")
        annotated = parameter.annotation is not parameter.empty
        expect(annotated, f"option `{parameter.name}` has no annotation, so run files cannot be checked against it")
