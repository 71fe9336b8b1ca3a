"""Discovery, loading and options, with plugins made of a module and a dist-info folder on sys.path."""

from __future__ import annotations

import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from hieratk.commands.plugins import plugins_app
from hieratk.errors import PluginError
from hieratk.plugins import available, check_options, load, options_of
from hieratk.protocols import GROUPS, Kind

Install = Callable[..., Path]

GOOD = """
from hieratk.networks import conv

def tiny(in_channels: int, *, width: int = 8):
    return conv(in_channels, widths=(width, width))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution: `install("acme", {"hieratk.backbones": {"name": "module:attribute"}}, module=source)`."""

    def install(name: str, groups: dict[str, dict[str, str]], version: str = "1.0", **modules: str) -> Path:
        folder = tmp_path / name
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"[{g}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for g, entries in groups.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(source)
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(folder)
        return folder

    return install


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("model", "unet", "hieratk.networks:unet"),
        ("backbone", "conv", "hieratk.networks:conv"),
        ("dataset", "indian-pines", "hieratk.data.indian_pines:indian_pines"),
    ],
)
def test_our_own_come_through_the_same_door(kind: Kind, name: str, value: str) -> None:
    plugin = available(kind)[name]
    assert (plugin.distribution, plugin.value) == ("hieratk", value)


def test_a_stranger_is_found_and_loaded(install: Install) -> None:
    install("acme", {"hieratk.backbones": {"acme-tiny": "acme_nets:tiny"}}, acme_nets=GOOD)
    assert str(available("backbone")["acme-tiny"]) == "backbone 'acme-tiny' of acme 1.0"
    assert "acme_nets" not in sys.modules
    assert load("backbone", "acme-tiny")(3, width=4).channels == (4, 4)


def test_unknown_name_gets_the_nearest(install: Install) -> None:
    install("acme", {"hieratk.backbones": {"resnet50": "acme_r:make"}}, acme_r="")
    with pytest.raises(PluginError) as caught:
        load("backbone", "resnet5O")
    assert str(caught.value).startswith("no backbone 'resnet5O'; did you mean 'resnet50'?")
    with pytest.raises(PluginError, match=r"^no model 'resnet50'; there are .*unet"):
        load("model", "resnet50")


def test_a_clash_names_both_and_stops_nobody_else(install: Install) -> None:
    install("acme", {"hieratk.backbones": {"same": "acme_a:tiny", "other": "acme_a:tiny"}}, acme_a=GOOD)
    install("bolt", {"hieratk.backbones": {"same": "bolt_b:tiny"}}, bolt_b=GOOD)
    with pytest.raises(PluginError) as caught:
        load("backbone", "same")
    assert str(caught.value) == "backbone 'same' is offered by acme and bolt; uninstall all but one of them"
    assert load("backbone", "other")(1).channels == (8, 8)


def test_the_same_distribution_twice_on_the_path_is_no_clash(install: Install, tmp_path: Path) -> None:
    folder = install("acme", {"hieratk.backbones": {"twice": "acme_t:tiny"}}, acme_t=GOOD)
    copy = tmp_path / "copy"
    folder.rename(copy)
    install("acme", {"hieratk.backbones": {"twice": "acme_t:tiny"}}, acme_t=GOOD)
    sys.path.append(str(copy))
    try:
        assert available("backbone")["twice"].rivals == ()
    finally:
        sys.path.remove(str(copy))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("def other(in_channels): ...", "AttributeError: module 'acme_broken' has no attribute 'make'"),
        ("def make(:", "SyntaxError: invalid syntax"),
    ],
)
def test_a_broken_plugin_says_why_and_the_others_go_on(install: Install, source: str, reason: str) -> None:
    install("acme", {"hieratk.backbones": {"broken": "acme_broken:make"}}, acme_broken=source)
    install("bolt", {"hieratk.backbones": {"whole": "bolt_whole:tiny"}}, bolt_whole=GOOD)
    assert {"broken", "whole", "conv"} <= set(available("backbone"))
    with pytest.raises(PluginError) as caught:
        load("backbone", "broken")
    message = str(caught.value)
    assert message.startswith(f"backbone 'broken' of acme 1.0 cannot be imported from acme_broken:make: {reason}")
    assert message.endswith("; mend or uninstall acme")
    assert load("backbone", "whole")(2).channels == (8, 8)


def test_what_is_no_function_is_refused(install: Install) -> None:
    install("acme", {"hieratk.models": {"list": "acme_list:make"}}, acme_list="make = [1]")
    with pytest.raises(PluginError, match=r"acme_list:make is a list, not a function that makes a model$"):
        load("model", "list")


def test_another_api_version_is_refused_with_the_reason(install: Install) -> None:
    install("acme", {"hieratk.backbones": {"new": "acme_new:tiny"}}, acme_new="HIERATK_API = 2\n" + GOOD)
    install("bolt", {"hieratk.backbones": {"now": "bolt_now:tiny"}}, bolt_now="HIERATK_API = 1\n" + GOOD)
    with pytest.raises(PluginError, match="written for version 2 of the plugin protocols, this hieratk has version 1"):
        load("backbone", "new")
    assert callable(load("backbone", "now"))


def test_the_api_version_may_stand_in_the_package_above(install: Install) -> None:
    folder = install("acme", {"hieratk.backbones": {"deep": "acme_pkg.nets:tiny"}})
    (folder / "acme_pkg").mkdir()
    (folder / "acme_pkg" / "__init__.py").write_text("HIERATK_API = 7\n")
    (folder / "acme_pkg" / "nets.py").write_text(GOOD)
    with pytest.raises(PluginError, match="version 7"):
        load("backbone", "deep")


def factory(
    in_channels: int,
    *,
    backbone: Any,
    size: int,
    rate: float = 0.5,
    widths: tuple[int, ...] = (1, 2),
    norm: Literal["batch", "group"] = "batch",
    free=None,  # type: ignore[no-untyped-def]
    later: NotDefinedAnywhere = None,  # type: ignore[name-defined]  # noqa: F821
) -> None:
    """A signature with every kind of option."""


def test_options_are_those_of_the_signature() -> None:
    assert [(o.name, o.annotation, o.required) for o in options_of(factory)] == [
        ("size", "int", True),
        ("rate", "float", False),
        ("widths", "tuple[int, ...]", False),
        ("norm", "Literal['batch', 'group']", False),
        ("free", "", False),
        ("later", "NotDefinedAnywhere", False),
    ]


def test_fitting_options_are_converted_and_the_rest_is_passed_on() -> None:
    given = {"size": 3, "widths": [4, 5], "rate": 1, "free": object, "later": "anything"}
    checked = check_options(factory, given, plugin="model 'm'")
    assert checked == {"size": 3, "widths": (4, 5), "rate": 1.0, "free": object, "later": "anything"}
    assert isinstance(checked["widths"], tuple)
    assert isinstance(checked["rate"], float)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1, "width": [1]}, "no option 'width'; did you mean 'widths'? there are free, later, norm, rate, "),
        ({}, "option 'size' must be given (int)"),
        ({"size": 1, "backbone": 2}, "no option 'backbone'; there are free"),
        ({"size": 1, "in_channels": 2}, "no option 'in_channels'; there are free"),
        ({"size": 2.5}, "option 'size' is 2.5: input should be a valid integer, got a number with a fractional part"),
        ({"size": 1, "norm": "layer"}, "option 'norm' is 'layer': input should be 'batch' or 'group'"),
        ({"size": 1, "widths": [1, "x"]}, "option 'widths' is [1, 'x']: at [1] input should be a valid integer"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError) as caught:
        check_options(factory, options, plugin="model 'm'")
    assert str(caught.value).startswith(f"model 'm': {message}")


def test_all_wrong_options_come_at_once() -> None:
    with pytest.raises(PluginError) as caught:
        check_options(factory, {"rte": 1, "norm": 3}, plugin="model 'm'")
    message = str(caught.value)
    assert all(
        part in message for part in ("no option 'rte'; did you mean 'rate'?", "option 'norm' is 3", "'size' must")
    )


def test_a_factory_that_hides_its_options_takes_none() -> None:
    def hidden(in_channels: int, **options: Any) -> None:
        """Takes anything."""

    with pytest.raises(PluginError, match=r"^backbone 'h': no option 'depth'; there are no options$"):
        check_options(hidden, {"depth": 1}, plugin="backbone 'h'")


def test_finding_plugins_imports_neither_them_nor_torch() -> None:
    code = (
        "import sys, hieratk.plugins as p\n"
        f"names = [set(p.available(kind)) for kind in {sorted(GROUPS)!r}]\n"
        "assert 'conv' in names[0], names\n"
        "assert not {'torch', 'kornia', 'rasterio', 'hieratk.networks'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_list_shows_clashes_and_missing_modules(install: Install) -> None:
    install("acme", {"hieratk.backbones": {"same": "acme_l:tiny", "gone": "acme_not_there:tiny"}}, acme_l=GOOD)
    install("bolt", {"hieratk.backbones": {"same": "acme_l:tiny"}})
    result = CliRunner().invoke(plugins_app, ["list", "--kind", "backbone"], catch_exceptions=False)
    rows = {line.split()[1]: line for line in result.stdout.splitlines()[1:]}
    assert rows["same"].endswith("clashes with bolt")
    assert rows["gone"].endswith("broken: no module acme_not_there")
    assert rows["conv"].split() == ["backbone", "conv", "hieratk", available("backbone")["conv"].version,
                                    "hieratk.networks:conv"]  # fmt: skip
    assert "acme_l" not in sys.modules


def test_what_a_broken_uninstallation_leaves_is_listed(install: Install) -> None:
    folder = install("acme", {"hieratk.backbones": {"left": "acme_left:tiny"}})
    install("bolt", {"hieratk.backbones": {"left": "bolt_left:tiny"}})
    (folder / "acme-1.0.dist-info" / "METADATA").unlink()
    assert available("backbone")["left"].distribution == "an unknown distribution"
    assert available("backbone")["left"].rivals == ("bolt",)


def test_list_with_broken_plugins_costs_no_import(install: Install) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        CliRunner().invoke(plugins_app, ["list"], catch_exceptions=False)
        return time.perf_counter() - start

    before = min(seconds() for _ in range(3))
    for number in range(5):
        source = "import time\ntime.sleep(5)\nraise ImportError('broken')"
        module = f"acme_slow{number}"
        install(f"acme{number}", {"hieratk.models": {f"slow{number}": f"{module}:make"}}, **{module: source})
    assert min(seconds() for _ in range(3)) < before + 0.5


def test_show_prints_signature_and_text() -> None:
    result = CliRunner().invoke(plugins_app, ["show", "conv"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "  norm: Literal['batch', 'group'] (default 'batch')" in result.stdout
    assert "Plain convolutions" in result.stdout


def test_check_command_tells_sound_from_faulty(install: Install) -> None:
    install("acme", {"hieratk.backbones": {"tiny": "acme_c:tiny"}}, acme_c=GOOD)
    install("bolt", {"hieratk.backbones": {"bad": "bolt_c:bad"}}, bolt_c="def bad(in_channels): return None")
    install("cord", {"hieratk.backbones": {"gone": "cord_c:make"}}, cord_c="import no_such_library")
    sound = CliRunner().invoke(
        plugins_app, ["check", "tiny", "--bands", "2", "--set", "width=4", "--no-compile"], catch_exceptions=False
    )
    assert (sound.exit_code, sound.stdout.splitlines()[-1]) == (0, "15 checks, 0 failed")
    faulty = CliRunner().invoke(plugins_app, ["check", "bad", "--bands", "2", "--no-compile"], catch_exceptions=False)
    assert faulty.exit_code == 1
    assert "FAILED  2 bands: declares: a NoneType came, not a torch.nn.Module" in faulty.stdout
    gone = CliRunner().invoke(plugins_app, ["check", "gone"], catch_exceptions=False)
    assert gone.exit_code == 1
    assert "No module named 'no_such_library'" in gone.stdout
    with pytest.raises(PluginError, match=r"no option 'wide'; .*; give options as --set OPTION=VALUE$"):
        CliRunner().invoke(plugins_app, ["check", "tiny", "--set", "wide=4"], catch_exceptions=False)
    with pytest.raises(PluginError, match="no plugin 'tinny'; did you mean 'tiny'"):
        CliRunner().invoke(plugins_app, ["check", "tinny"], catch_exceptions=False)


NET = """
import random
import torch
from torch import nn

class Net(nn.Module):
    channels, strides = (4, 8), (2, 4)

    def __init__(self, in_channels):
        super().__init__()
        self.first = nn.Conv2d(in_channels, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 8, 3, stride=2, padding=1)

    def forward(self, image):
        first = self.first(image)
        return [first, self.second(first)]

def make(in_channels):
    return Net(in_channels)
"""

FAULTS = {
    "wrong stride": (
        NET + "Net.strides = (2, 8)",
        "FAILED  4 bands: shapes: map 1 (stride 8) of a 64x96 image has shape (2, 8, 16, 24), expected (2, 8, 8, 12)",
    ),
    "NaN at odd sizes": (
        NET.replace("self.second(first)]", "self.second(first) / (0 if image.shape[-1] < 8 else 1)]"),
        "FAILED  4 bands: odd sizes: the node logits of a 1x1 image holds 9 values that are NaN or infinite",
    ),
    "hidden global state": (
        NET.replace("super().__init__()", "super().__init__(); Net.made += 1").replace("first,", "first * Net.made,")
        + "Net.made = 0",
        "FAILED  no hidden state: a second instance changes the first one's output",
    ),
    "wrong band count": (
        NET.replace("nn.Conv2d(in_channels,", "nn.Conv2d(3,"),
        "FAILED  4 bands: shapes: made with in_channels=4, it fails on a 64x96 image of as many bands: RuntimeError: ",
    ),
    "non-deterministic": (
        NET.replace("return [first,", "return [first + torch.rand(1),"),
        "FAILED  same output again: two calls in eval mode differ: something random or remembered is left in it",
    ),
    "missing features": (
        NET.replace("return [first, self.second(first)]", "return [self.second(first)]"),
        "FAILED  4 bands: shapes: 2 maps are declared, 1 came",
    ),
    "slow import": (
        "import time; time.sleep(0.4)" + NET,
        "s beyond torch, at most 0.2 s are fair; import what is slow inside the factory",
    ),
    "bad signature": (
        NET.replace("def make(in_channels):", "def make(in_channels, **more):"),
        "FAILED  signature: `**more` hides the options; name each one in the signature",
    ),
    "name clash": (
        NET,
        "FAILED  loads: backbone 'fault' is offered by acme and bolt; uninstall all but one of them",
    ),
    "import error": (
        "import no_such_library" + NET,
        "FAILED  loads: backbone 'fault' of acme 1.0 cannot be imported from acme_fault:make: ModuleNotFoundError: "
        "No module named 'no_such_library'; mend or uninstall acme",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_of_ten_faults_fails_with_its_message(install: Install, fault: str) -> None:
    source, message = FAULTS[fault]
    install("acme", {"hieratk.backbones": {"fault": "acme_fault:make"}}, acme_fault=source)
    if fault == "name clash":
        install("bolt", {"hieratk.backbones": {"fault": "bolt_fault:make"}}, bolt_fault=NET)
    given = ["check", "fault", "--bands", "4", "--no-compile"]
    given += ["--import-seconds", "0.2"] if fault == "slow import" else []
    result = CliRunner().invoke(plugins_app, given, catch_exceptions=False)
    assert result.exit_code == 1
    assert message in result.stdout, result.stdout


def test_the_ten_faults_are_planted_in_sound_code(install: Install) -> None:
    install("acme", {"hieratk.backbones": {"whole": "acme_whole:make"}}, acme_whole=NET)
    result = CliRunner().invoke(plugins_app, ["check", "whole", "--bands", "4", "--no-compile"], catch_exceptions=False)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "15 checks, 0 failed"), result.stdout


def test_list_with_five_broken_plugins_loads_no_torch(install: Install) -> None:
    for number in range(5):
        module = f"acme_torn{number}"
        groups = {"hieratk.backbones": {f"torn{number}": f"{module}:make"}}
        install(f"acme{number}", groups, **{module: "import torch\nraise RuntimeError('torn')"})
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from hieratk.commands import app; app(['plugins', 'list'], standalone_mode=False)\n"
        "print('loaded', sorted({'torch', 'numpy', 'acme_torn0'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sum(line.split()[1:2] == [f"torn{n}"] for n in range(5) for line in done.stdout.splitlines()) == 5
    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize("name", ["ladder", "hieratk-two-words"])
def test_a_new_package_keeps_the_contract_at_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip would install of it is put on the path by hand; then its own test and `check` run on it."""
    folder = tmp_path / name
    result = CliRunner().invoke(plugins_app, ["new", str(folder)], catch_exceptions=False)
    plugin = name.removeprefix("hieratk-")
    assert result.stdout.splitlines()[1] == f'next: pip install -e "{folder}[test]" && hieratk plugins check {plugin}'
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    groups = project["project"]["entry-points"]
    info = tmp_path / "site" / "new_package-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['project']['name']}\nVersion: 0.1.0\n")
    entries = "".join(f"{key} = {value}\n" for key, value in groups["hieratk.backbones"].items())
    (info / "entry_points.txt").write_text(f"[hieratk.backbones]\n{entries}")
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [
        str(path.relative_to(folder)) for path in (folder / "src").iterdir()
    ]
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.syspath_prepend(folder / "src")
    check = CliRunner().invoke(plugins_app, ["check", plugin, "--bands", "3", "--no-compile"], catch_exceptions=False)
    assert (check.exit_code, check.stdout.splitlines()[-1]) == (0, "15 checks, 0 failed"), check.stdout
    own: dict[str, Any] = {}
    exec(compile((folder / "tests" / "test_contract.py").read_text(), "test_contract.py", "exec"), own)
    own["test_contract"]()


def test_new_never_overwrites_and_wants_a_name_that_can_be_one(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "work.py").write_text("")
    with pytest.raises(PluginError, match="full is not empty; name a new folder"):
        CliRunner().invoke(plugins_app, ["new", str(tmp_path / "full")], catch_exceptions=False)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["work.py"]
    with pytest.raises(PluginError, match="'My_Net' cannot be one; take small letters"):
        CliRunner().invoke(plugins_app, ["new", str(tmp_path / "My_Net")], catch_exceptions=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(PluginError, match="Not a directory; name another folder"):
        CliRunner().invoke(plugins_app, ["new", str(tmp_path / "file" / "net")], catch_exceptions=False)
