"""One difference between two versions of a tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hieratk.diagnostics import Severity
from hieratk.taxonomy.rulebook.versions import RULES

Step = Literal["patch", "minor", "major"]

STEPS: tuple[Step, ...] = ("patch", "minor", "major")
"""How far the version number must be raised, from the smallest step on."""

_SEVERITY: Mapping[str, Severity] = {rule.code: rule.severity for rule in RULES}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `id` is the class or special value in the old tree, in the new one where it was added, "" where
    the document as a whole is meant; `to` its id in the new tree. `what` is a word for the sort of change, `detail`
    says it in few words.
    """

    code: str
    what: str
    step: Step
    severity: Severity
    id: str
    to: str
    detail: str

    @property
    def breaking(self) -> bool:
        """Whether something that uses the old version may go wrong with the new one."""
        return self.step == "major"


def change(code: str, what: str, step: Step, id_: str, to: str, detail: str, *, mild: bool = False) -> Change:
    """A change with the severity of its rule; a `mild` one is information only."""
    return Change(code, what, step, "info" if mild else _SEVERITY[code], id_, to, detail)
