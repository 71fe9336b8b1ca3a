"""JSON Schemas for editors: made from the tables of keys, and every shipped document fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hieratk.crosswalk import spec as crosswalk_spec
from hieratk.taxonomy import catalog, spec
from hieratk.taxonomy.formatting.places import CROSSWALK, TAXONOMY
from hieratk.taxonomy.schema import schema, schema_text

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema comes with the dev extra")
FOLDER = catalog.shipped()
TABLES = {"taxonomy": spec.TABLES, "crosswalk": crosswalk_spec.TABLES}
CROSSWALKS = sorted((FOLDER / "crosswalks").glob("*.yaml"))


def validator(kind: str) -> Any:
    found = schema(kind, TABLES[kind])
    jsonschema.Draft7Validator.check_schema(found)
    return jsonschema.Draft7Validator(found)


def read_as_editors_do(text: str) -> Any:
    # Typed by YAML's own rules; JSON knows text keys only.
    return json.loads(json.dumps(yaml.safe_load(text)))


@pytest.mark.parametrize("kind", TABLES)
def test_the_files_are_what_the_tables_say(kind: str) -> None:
    written = (FOLDER / "schema" / f"{kind}-1.json").read_text(encoding="utf-8")
    assert written == schema_text(kind, TABLES[kind]), f"run hieratk taxonomy schema {kind}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_trees_fit(path: Path) -> None:
    validator("taxonomy").validate(read_as_editors_do(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CROSSWALKS, ids=lambda path: path.stem)
def test_shipped_crosswalks_fit(path: Path) -> None:
    validator("crosswalk").validate(read_as_editors_do(path.read_text(encoding="utf-8")))


def _mappings(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, list):
        return [inner for item in found for inner in _mappings(item)]
    if not isinstance(found, dict):
        return []
    return [found, *(inner for item in found.values() for inner in _mappings(item))]


@pytest.mark.parametrize("kind", TABLES)
def test_every_key_of_every_table_is_there_with_its_words(kind: str) -> None:
    tables = TABLES[kind]
    written = [inner["properties"] for inner in _mappings(schema(kind, tables)) if "properties" in inner]
    for name, table in tables.items():
        fits = [properties for properties in written if set(properties) == set(table)]
        assert fits, name
        for key in table.values():
            if key.name == "hieratk":
                continue
            shown = fits[0][key.name]
            assert shown["description"].startswith(key.about)
            if key.words:
                assert shown["enum"] == list(key.words)
            if key.default in key.words and key.default:
                assert shown["default"] == key.default


@pytest.mark.parametrize(
    ("kind", "document", "at"),
    [
        ("taxonomy", "hieratk: taxonomy/1\ntree: {a: 1}\ncolour: x\n", []),
        ("taxonomy", "hieratk: taxonomy/2\ntree: {a: 1}\n", ["hieratk"]),
        ("taxonomy", "hieratk: taxonomy/1\nid: x\n", []),
        ("taxonomy", "hieratk: taxonomy/1\ntree: {A: 1}\n", ["tree"]),
        ("taxonomy", "hieratk: taxonomy/1\ntree: {a: x}\n", ["tree", "a"]),
        ("taxonomy", "hieratk: taxonomy/1\ntree: {a: 1}\nclasses: {a: {code: 101}}\n", ["classes", "a", "code"]),
        ("taxonomy", "hieratk: taxonomy/1\ntree: {a: 1}\nclasses: {a: {kind: odd}}\n", ["classes", "a", "kind"]),
        ("taxonomy", 'hieratk: taxonomy/1\ntree: {a: 1}\nclasses: {a: {color: "#12345"}}\n', ["classes", "a", "color"]),
        ("taxonomy", "hieratk: taxonomy/1\ntree: {a: 1}\nspecial: {v: {pixel: 0}}\n", ["special", "v"]),
        ("taxonomy", "hieratk: taxonomy/1\ntree: {a: 1}\nencodings: {e: {level: x}}\n", ["encodings", "e"]),
        ("crosswalk", "hieratk: crosswalk/1\nid: x\n", []),
        (
            "crosswalk",
            "hieratk: crosswalk/1\nid: x\nversion: 1.0.0\nfrom: &t {taxonomy: a, version: '>=1'}\nto: *t\n"
            "map: {a: {is: b, within: c}}\n",
            ["map", "a"],
        ),
    ],
)
def test_faults_of_shape_are_seen(kind: str, document: str, at: list[str]) -> None:
    errors = list(validator(kind).iter_errors(read_as_editors_do(document)))
    assert list(errors[0].path) == at


def test_an_extension_needs_no_dtype() -> None:
    text = "hieratk: taxonomy/1\nextends: {taxonomy: a, version: '>=1'}\nencodings: {e: {values: {1: b, 2..4: c}}}\n"
    validator("taxonomy").validate(read_as_editors_do(text))


def test_the_layout_knows_every_key_in_the_order_of_the_language() -> None:
    assert list(TAXONOMY.keys) == list(spec.DOCUMENT)
    assert list(CROSSWALK.keys) == list(crosswalk_spec.DOCUMENT)
    entry = CROSSWALK.keys["map"].every
    assert entry is not None
    assert list(entry.keys) == list(crosswalk_spec.ENTRY)
    for name, table in (("classes", spec.CLASS), ("special", spec.SPECIAL), ("encodings", spec.ENCODING)):
        every = TAXONOMY.keys[name].every
        assert every is not None
        assert list(every.keys) == list(table)
