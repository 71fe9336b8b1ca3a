"""How long a plugin's module takes to import."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

from hieratk.plugins import Plugin
from hieratk.testing.checks import Check

IMPORT_SECONDS = 5.0
"""The most that importing a plugin may take beyond torch (chosen): everybody who names it waits for it."""

_MEASURE = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[2])
import hieratk.models
from hieratk.testing.imports import own_seconds
start = own_seconds()
importlib.import_module(sys.argv[1])
print(own_seconds() - start)
"""


def check_import(plugin: Plugin, *, limit: float = IMPORT_SECONDS) -> Check:
    """Whether a plugin's module is imported within `limit` seconds, torch and hieratk not counted.

    The import happens in this process. Where it takes longer it is timed once more in a fresh one, since the first time
    on a machine is mostly the disk's. Waiting for a busy processor is not counted (`own_seconds`). A module that cannot
    be imported passes: loading it tells why.
    """
    module = plugin.value.partition(":")[0]
    start = own_seconds()
    try:
        importlib.import_module(module)
    except (Exception, SystemExit):  # what it raises is told by hieratk.plugins.load
        return Check("imports quickly", True)
    seconds = own_seconds() - start
    if seconds > limit:
        seconds = _fresh_seconds(module, seconds)
    if seconds <= limit:
        return Check("imports quickly", True)
    message = (
        f"importing {module} takes {seconds:.1f} s beyond torch, at most {limit:g} s are fair; "
        "import what is slow inside the factory"
    )
    return Check("imports quickly", False, message)


def own_seconds(statistics: Path = Path("/proc/thread-self/schedstat")) -> float:
    """A clock of this thread: it stands still while the thread could run and another one has the processor.

    Sleeping and waiting for the disk count. Only Linux tells, in `statistics`; elsewhere all time counts.
    """
    try:
        waited = int(statistics.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        waited = 0.0
    return time.perf_counter() - waited


def _fresh_seconds(module: str, otherwise: float) -> float:
    command = [sys.executable, "-c", _MEASURE, module, json.dumps(sys.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 and done.stdout.split() else otherwise
