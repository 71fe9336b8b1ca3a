"""Contract checks that plugin authors call from their tests, and `hieratk plugins check` from the command line.

    def test_contract():
        checks = check_backbone(my_backbone)
        assert all(check.passed for check in checks), report(checks)

Every check runs, whatever the others say, and a failed one tells what was expected and what came. What a backbone, a
model, a data set and a loss must offer is written in `hieratk.protocols`. The checks run on the CPU and leave torch's
random state as it was.
"""

from hieratk.testing.checks import Check, report
from hieratk.testing.datasets import check_dataset
from hieratk.testing.imports import IMPORT_SECONDS, check_import
from hieratk.testing.losses import check_loss
from hieratk.testing.modules import BANDS, ODD_SIZES, PoolBackbone, check_backbone, check_model

__all__ = [
    "BANDS",
    "IMPORT_SECONDS",
    "ODD_SIZES",
    "Check",
    "PoolBackbone",
    "check_backbone",
    "check_dataset",
    "check_import",
    "check_loss",
    "check_model",
    "report",
]
