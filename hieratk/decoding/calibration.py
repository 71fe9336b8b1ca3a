"""What a calibration found, as a value: it travels in a checkpoint and decodes logits to maps that keep a risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from hieratk.decoding.posterior import tempered
from hieratk.decoding.risk import abstaining
from hieratk.errors import ConfigError
from hieratk.tensors import TaxonomyTensors


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperatures of the levels, and how probable a class must be at a risk.

    Attributes:
        temperatures: one a level, what its logits are divided by.
        risk: the one that was asked for.
        thresholds: (risk, threshold) pairs, risks ascending; see `hieratk.calibration.choose_threshold`.
        block: side of the square blocks, in pixels, that were taken as exchangeable; 1 for pixels.
        units: how many of them the thresholds rest on.
        split: where they came from.
    """

    temperatures: tuple[float, ...]
    risk: float
    thresholds: tuple[tuple[float, float], ...]
    block: int
    units: int
    split: str

    def threshold(self, risk: float | None = None) -> float:
        """The threshold of the largest calibrated risk that does not exceed `risk` [default: the one asked for].

        Raises ConfigError below the smallest.
        """
        wanted = self.risk if risk is None else risk
        fitting = [threshold for known, threshold in self.thresholds if known <= wanted]
        if not fitting:
            raise ConfigError(
                f"risk {wanted:g} is below the smallest that {self.units} calibration units can show, "
                f"{self.thresholds[0][0]:g}; calibrate on more of them, or ask for a larger risk"
            )
        return fitting[-1]

    def decode(self, logits: Tensor, tree: TaxonomyTensors, *, risk: float | None = None) -> Tensor:
        """(B, L, ...) classes of logits (B, N, ...), UNDECIDED where deciding would exceed the risk."""
        return abstaining(logits, tree, threshold=self.threshold(risk), posterior=tempered(self.temperatures))

    def to_json(self) -> dict[str, Any]:
        """As JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Calibration:
        """What `to_json` gave; KeyError, TypeError or ValueError for anything else."""
        return cls(
            temperatures=tuple(float(t) for t in content["temperatures"]),
            risk=float(content["risk"]),
            thresholds=tuple((float(risk), float(threshold)) for risk, threshold in content["thresholds"]),
            block=int(content["block"]),
            units=int(content["units"]),
            split=str(content["split"]),
        )
