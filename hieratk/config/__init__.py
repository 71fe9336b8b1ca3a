"""What a run file may say: typed, checked at once, every error at its line and column."""

from hieratk.config.reading import RunFile, dump_run, load_run, read_run
from hieratk.config.schema import (
    Augment,
    BlockSplit,
    Few,
    RandomSplit,
    Run,
    SceneSpec,
    Schedule,
    TableSplit,
    Transfer,
    Windows,
)

__all__ = [
    "Augment",
    "BlockSplit",
    "Few",
    "RandomSplit",
    "Run",
    "RunFile",
    "SceneSpec",
    "Schedule",
    "TableSplit",
    "Transfer",
    "Windows",
    "dump_run",
    "load_run",
    "read_run",
]
