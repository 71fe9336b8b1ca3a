"""What a project says about checking: `[tool.hieratk.validate]` of its pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from hieratk.diagnostics import Severity, nearest
from hieratk.errors import ConfigError
from hieratk.taxonomy.selection import Selection

KEYS = ("select", "ignore", "severity", "fail-on", "per-file-ignores")
_SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Project:
    """The settings of one project; `file` is the pyproject.toml they stand in, None where there is none."""

    file: Path | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))
    fail_on: Severity | None = None
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def selection(self, path: Path, *, select: Iterable[str] = (), ignore: Iterable[str] = ()) -> Selection:
        """The rules that are asked about a file. `select` (if any) stands for that of the project, `ignore` adds to it.

        Keys of `per-file-ignores` are paths from the folder of the project, with `*` and `?`; one without a folder
        holds for files of that name in any folder.
        """
        more = tuple(
            code for pattern, codes in self.per_file_ignores.items() for code in codes if self._fits(path, pattern)
        )
        chosen = tuple(select) or self.select
        return Selection(chosen, (*self.ignore, *ignore, *more), self.severity)

    def _fits(self, path: Path, pattern: str) -> bool:
        if "/" not in pattern:
            return fnmatchcase(path.name, pattern)
        assert self.file is not None
        folder, file = self.file.parent.resolve(), path.resolve()
        return file.is_relative_to(folder) and fnmatchcase(
            file.relative_to(folder).as_posix(), pattern.removeprefix("./")
        )


def project_of(folder: Path) -> Project:
    """The settings that hold in a folder: those of the nearest pyproject.toml with a table `[tool.hieratk]`.

    Raises ConfigError for a pyproject.toml that cannot be read, unknown keys, values of the wrong kind and codes of
    rules that do not exist.
    """
    here = folder.resolve()
    for place in (here, *here.parents):
        file = place / "pyproject.toml"
        if not file.is_file():
            continue
        tool = _tool(file)
        if tool is not None:
            return _project(file, tool)
    return Project()


def known_codes(words: Iterable[str], where: str) -> tuple[str, ...]:
    """Beginnings of codes, as `select` and `ignore` take them. Raises ConfigError for one that no rule begins with."""
    from hieratk.taxonomy.rulebook import rules

    found = tuple(words)
    unknown = Selection(select=found).unknown(rules())
    if unknown:
        # A wrong code is as near to ten right ones as to the one that was meant.
        raise ConfigError(f"{where}: no rule begins with `{unknown[0]}`; `hieratk taxonomy rule` lists them all")
    return found


def _tool(file: Path) -> Any:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{file}` cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"`{file}` is not TOML: {error}") from None
    tool = document.get("tool")
    return tool.get("hieratk") if isinstance(tool, dict) else None


def _project(file: Path, tool: Any) -> Project:
    table = _table(tool, f"{file}: [tool.hieratk]")
    _only(table, ("validate",), f"{file}: [tool.hieratk]")
    where = f"{file}: [tool.hieratk.validate]"
    settings = _table(table.get("validate", {}), where)
    _only(settings, KEYS, where)
    severity = _table(settings.get("severity", {}), f"{where} severity")
    known_codes(severity, f"{where} severity")
    ignores = _table(settings.get("per-file-ignores", {}), f"{where} per-file-ignores")
    fail_on = settings.get("fail-on")
    return Project(
        file=file,
        select=_codes(settings, "select", where),
        ignore=_codes(settings, "ignore", where),
        severity=MappingProxyType({code: _severity(word, f"{where} severity") for code, word in severity.items()}),
        fail_on=None if fail_on is None else _severity(fail_on, f"{where} fail-on"),
        per_file_ignores=MappingProxyType(
            {pattern: _codes(ignores, pattern, f"{where} per-file-ignores") for pattern in ignores}
        ),
    )


def _codes(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    words = table.get(key, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ConfigError(f'{where}: `{key}` takes a list of codes, such as ["T301", "T4"]')
    return known_codes(words, f"{where} {key}")


def _severity(word: Any, where: str) -> Severity:
    for severity in _SEVERITIES:
        if word == severity:
            return severity
    meant = nearest(word, _SEVERITIES) if isinstance(word, str) else []
    way = f"did you mean `{meant[0]}`?" if meant else f"the words are {', '.join(_SEVERITIES)}"
    raise ConfigError(f"{where}: `{word}` is no severity; {way}")


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is not a table")
    return value


def _only(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            meant = nearest(key, keys)
            way = f"did you mean `{meant[0]}`?" if meant else f"the keys are {', '.join(keys)}"
            raise ConfigError(f"{where} has an unknown key `{key}`; {way}")
