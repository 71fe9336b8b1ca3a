"""The package that `hieratk plugins new` writes: a small backbone that keeps the contract, and a test of that."""

from __future__ import annotations

import re
from pathlib import Path

from hieratk.errors import PluginError

_PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "hieratk-{name}"
version = "0.1.0"
description = "The backbone {name} for hieratk"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["hieratk>={version}"]

[project.optional-dependencies]
test = ["pytest>=8.3"]

[project.entry-points."hieratk.backbones"]
{name} = "{module}:{function}"

[tool.hatch.build.targets.wheel]
packages = ["src/{module}"]
"""

_CODE = '''\
"""The backbone {name} for hieratk."""

from __future__ import annotations

import torch
from torch import nn

HIERATK_API = {api}
"""The version of the plugin protocols (`hieratk.protocols`) that this was written for."""


def {function}(in_channels: int, *, widths: tuple[int, ...] = (16, 32, 64)) -> {title}:
    """Convolutions at strides 1, 2, 4, ...

    Args:
        in_channels: bands of the image.
        widths: channels of each map, fine to coarse.
    """
    return {title}(in_channels, widths)


class {title}(nn.Module):
    """One 3x3 convolution a scale. Put your own network here; `channels`, `strides` and the list are the contract."""

    def __init__(self, in_channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.channels = widths
        self.strides = tuple(2**k for k in range(len(widths)))
        before = (in_channels, *widths[:-1])
        self.scales = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=min(k + 1, 2), padding=1), nn.BatchNorm2d(b), nn.ReLU())
            for k, (a, b) in enumerate(zip(before, widths, strict=True))
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for scale in self.scales:
            image = scale(image)
            maps.append(image)
        return maps
'''

_TEST = '''\
"""The contract that hieratk relies on, and that the installed package is found."""

from hieratk.plugins import load
from hieratk.testing import check_backbone, report


def test_contract() -> None:
    checks = check_backbone(load("backbone", "{name}"))
    assert all(check.passed for check in checks), report(checks)
'''

_README = """\
# hieratk-{name}

The backbone `{name}` for [hieratk](https://pypi.org/project/hieratk/).

```sh
pip install -e ".[test]"
hieratk plugins check {name}
pytest
```

In a run file: `backbone: {{name: {name}, widths: [16, 32, 64]}}`.
"""


def write(folder: Path, *, version: str, api: int) -> str:
    """Write the package into a folder that is new or empty; the plugin's name, which is the folder's, comes back.

    Raises PluginError where the folder holds something, its name cannot be a plugin's, or it cannot be written.
    """
    name = folder.resolve().name.removeprefix("hieratk-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise PluginError(
            f"the folder's name is the plugin's, and '{name}' cannot be one; take small letters, digits and single "
            "hyphens, beginning with a letter, for instance my-backbone"
        )
    words = name.split("-")
    fields = {
        "name": name,
        "module": f"hieratk_{'_'.join(words)}",
        "function": "_".join(words),
        "title": "".join(word.capitalize() for word in words),
        "version": version,
        "api": api,
    }
    files = {
        "pyproject.toml": _PROJECT,
        "README.md": _README,
        f"src/{fields['module']}/__init__.py": _CODE,
        "tests/test_contract.py": _TEST,
    }
    try:
        if folder.exists() and any(folder.iterdir()):
            raise PluginError(f"{folder} is not empty; name a new folder")
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.format(**fields), encoding="utf-8")
    except OSError as error:
        raise PluginError(f"cannot write {error.filename or folder}: {error.strerror}; name another folder") from None
    return name
