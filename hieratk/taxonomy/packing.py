"""Compiled tables as a file of numpy arrays (.npz), for programs that want the tables and not hieratk."""

from __future__ import annotations

import secrets
import zipfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hieratk.errors import TaxonomyError
from hieratk.taxonomy.tables import IGNORE, Lookup, Tables

_TEXTS = ("level_names", "ids", "leaves", "row_ids")
_ARRAYS = ("parent", "level", "leaf_span", "offsets", "node", "carried", "paths", "row_role")
_ALLOWED = ("allowed_ptr", "allowed_leaf", "allowed_share")
_VERSION = 1


def pack(tables: Tables, *, index: str = "int64") -> dict[str, NDArray[Any]]:
    """Every array of the tables under its name (`hieratk.taxonomy.tables.Tables`).

    `index` is of the given type; what has no label there is `ignore`: 255 for uint8, else -100. `up_1`, ... are the
    parent indices of the levels; each encoding has `lookup.NAME.dtype`, and `.low` and `.table` or `.ranges` and
    `.rows`. Texts are arrays of text; nothing is pickled.
    """
    ignore = 255 if index == "uint8" else IGNORE
    found: dict[str, NDArray[Any]] = {
        "version": np.array(_VERSION),
        "fingerprint": np.array(tables.fingerprint),
        "ignore": np.array(ignore),
        "index": np.where(tables.index == IGNORE, ignore, tables.index).astype(index),
    }
    found |= {name: np.array(getattr(tables, name), dtype=np.str_) for name in _TEXTS}
    found |= {name: getattr(tables, name) for name in (*_ARRAYS, *_ALLOWED)}
    found |= {f"up_{number}": up for number, up in enumerate(tables.up, 1)}
    for name, lookup in tables.lookups.items():
        found[f"lookup.{name}.dtype"] = np.array(lookup.dtype)
        found[f"lookup.{name}.low"] = np.array(lookup.low)
        if lookup.table is not None:
            found[f"lookup.{name}.table"] = lookup.table
        if lookup.ranges is not None and lookup.range_rows is not None:
            found[f"lookup.{name}.ranges"] = lookup.ranges
            found[f"lookup.{name}.rows"] = lookup.range_rows
    return found


def write_tables(path: Path, tables: Tables, *, index: str = "int64") -> None:
    """Write `pack(tables)`; the file has its name when it is complete. Raises TaxonomyError where it cannot be written.

    The same tables give the same bytes.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as stream:
            np.savez_compressed(stream, **pack(tables, index=index))  # type: ignore[arg-type]  # names of arrays only
        part.replace(path)
    except OSError as error:
        raise TaxonomyError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


def read_tables(path: Path) -> Tables:
    """The tables of a file that `write_tables` wrote. Raises TaxonomyError for another or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
        if int(found["version"]) != _VERSION:
            raise TaxonomyError(f"{path} is of format {found['version']}, this hieratk reads {_VERSION}; compile again")
        return _tables(found)
    except FileNotFoundError:
        raise TaxonomyError(f"there is no file {path}") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TaxonomyError(f"{path} holds no compiled tables or is damaged; compile again ({error})") from None


def _tables(found: dict[str, NDArray[Any]]) -> Tables:
    lookups = {}
    for key in found:
        if key.startswith("lookup.") and key.endswith(".dtype"):
            name = key.removeprefix("lookup.").removesuffix(".dtype")
            part = f"lookup.{name}."
            lookups[name] = Lookup(
                name, str(found[key]), int(found[part + "low"]), found.get(part + "table"), found.get(part + "ranges"),
                found.get(part + "rows"),
            )  # fmt: skip
    index = found["index"].astype(np.int64)
    texts: dict[str, Any] = {name: tuple(found[name].tolist()) for name in _TEXTS}
    arrays: dict[str, Any] = {name: found[name] for name in (*_ARRAYS, *_ALLOWED)}
    tables = Tables(
        fingerprint=str(found["fingerprint"]),
        **texts,
        **arrays,
        up=tuple(found[f"up_{number}"] for number in range(1, len(texts["level_names"]))),
        index=np.where(index == int(found["ignore"]), IGNORE, index),
        lookups=MappingProxyType(lookups),
    )
    for array in (*arrays.values(), *tables.up, tables.index):
        array.flags.writeable = False
    return tables
