"""Writes the class trees that are made from tables: `python taxonomies/make.py` (all) or `... make.py nlcd usda_cdl`.

`facts/NAME.csv` holds what the publisher says (level, code, pixel value, name, parent, colour), `facts/NAME.toml` what
has to be added: ids, kinds, roles, the encodings of the upper levels, title, licence and sources. `--check` writes
nothing and exits with 1 where a file differs from what would be written. See README.md for the keys.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hieratk.taxonomy.dump import dump
from hieratk.taxonomy.tree import Deprecated, Encoding, Node, Special, Taxonomy

HERE = Path(__file__).parent

_KEYS = {
    *(
        "title",
        "version",
        "description",
        "lang",
        "license",
        "notice",
        "source",
        "levels",
        "codes",
        "parts",
        "drop",
        "ignore",
    ),
    *("ids", "names", "kinds", "special", "parents", "colors", "classes", "encodings"),
    *("code_ids", "code_pixels", "blanks", "by_code", "mean_colors"),
}
_CLASS_KEYS = {
    *("kind", "labels", "synonyms", "definition", "regions", "also", "note", "deprecated", "parts", "pixel", "level"),
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="trees to write; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 where a file would change")
    options = parser.parse_args(arguments)
    stale = []
    for name in options.names or made():
        target, text = HERE / f"{name}.yaml", document(name)
        if options.check:
            stale += [name] if not target.is_file() or target.read_text("utf-8") != text else []
        else:
            target.write_text(text, "utf-8", newline="\n")
    for name in stale:
        print(f"{name}.yaml differs from its facts; run python taxonomies/make.py {name}", file=sys.stderr)
    return 1 if stale else 0


def made() -> list[str]:
    """Names of the trees that this script writes."""
    return sorted(path.stem for path in (HERE / "facts").glob("*.toml"))


def document(name: str) -> str:
    """The text of `NAME.yaml`."""
    recipe = _recipe(name)
    lines = [f"# Made by taxonomies/make.py from facts/{name}.csv and facts/{name}.toml: change those."]
    lines += [f"# {line}" for line in recipe.get("notice", "").strip().splitlines()]
    lines += [f"# hieratk: ignore-file[{code}] {reason}" for code, reason in recipe.get("ignore", {}).items()]
    return "\n".join(lines) + "\n" + dump(build(name))


def build(name: str) -> Taxonomy:
    """The tree of the facts of that name. Raises ValueError with the place for facts that do not fit together."""
    recipe = _recipe(name)
    rows = _rows(name, recipe)
    special = recipe.get("special", {})
    ids = _ids(name, recipe, rows)
    parents = {code: recipe.get("parents", {}).get(code, row["parent_code"]) for code, row in rows.items()}
    children: dict[str, list[str]] = {"": []}
    for code, parent in parents.items():
        if code in special:
            continue
        if parent and (parent not in rows or parent in special):
            raise ValueError(f"{name}: {code} has the parent {parent!r}, which is no class")
        children.setdefault(parent, []).append(code)

    nodes: list[Node] = []

    def add(code: str) -> None:
        nodes.append(_node(code, rows[code], recipe, ids, parents[code], children.get(code, [])))
        for child in children.get(code, []):
            add(child)

    for top in children[""]:
        add(top)
    if recipe.get("mean_colors"):
        nodes = _with_mean_colors(nodes)
    return Taxonomy(
        id=name,
        nodes=tuple(nodes),
        level_names=tuple(recipe["levels"]),
        special=tuple(_special(ids[code], rows[code], entry) for code, entry in special.items()),
        encodings=_encodings(name, recipe, rows, ids),
        version=recipe["version"],
        title=recipe["title"],
        description=recipe.get("description", "").strip() or None,
        lang=recipe.get("lang", "en"),
        license=recipe["license"],
        source=tuple(recipe["source"]),
        codes=recipe.get("codes", {}),
    )


def _recipe(name: str) -> dict[str, Any]:
    recipe = tomllib.loads((HERE / "facts" / f"{name}.toml").read_text("utf-8"))
    unknown = set(recipe) - _KEYS
    unknown |= {key for entry in recipe.get("classes", {}).values() for key in set(entry) - _CLASS_KEYS}
    if unknown:
        raise ValueError(f"facts/{name}.toml has unknown keys: {', '.join(sorted(unknown))}")
    return recipe


def _rows(name: str, recipe: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    with (HERE / "facts" / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        every = list(csv.DictReader(lines))
    if recipe.get("by_code"):
        every.sort(key=lambda row: row["id_or_code"])
    rows = {row["id_or_code"]: row for row in every}
    if len(rows) != len(every):
        raise ValueError(f"facts/{name}.csv repeats a code")
    named = ("ids", "special", "parents", "colors", "classes", "names")
    codes = {code for key in named for code in recipe.get(key, {})} | set(recipe.get("drop", []))
    if codes - set(rows):
        raise ValueError(
            f"facts/{name}.toml names codes that facts/{name}.csv lacks: {', '.join(sorted(codes - set(rows)))}"
        )
    return {code: row for code, row in rows.items() if code not in recipe.get("drop", [])}


def _ids(name: str, recipe: Mapping[str, Any], rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    ids = {code: f"c{code.lower()}" if recipe.get("code_ids") else _slug(row["name"]) for code, row in rows.items()}
    ids |= {code: entry["id"] for code, entry in recipe.get("special", {}).items()}
    ids |= recipe.get("ids", {})
    owners: dict[str, list[str]] = {}
    for code, id_ in ids.items():
        owners.setdefault(id_, []).append(code)
    clashes = [f"{id_} ({', '.join(codes)})" for id_, codes in owners.items() if len(codes) > 1]
    if clashes:
        raise ValueError(f"{name}: give ids of their own under [ids] to {'; '.join(clashes)}")
    return ids


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain.replace("'", "")).strip("_")
    return words if words[:1].isalpha() else f"c_{words}"


def _node(
    code: str,
    row: Mapping[str, str],
    recipe: Mapping[str, Any],
    ids: Mapping[str, str],
    parent: str,
    children: list[str],
) -> Node:
    extra = recipe.get("classes", {}).get(code, {})
    parts = _parts(recipe).get(code) or extra.get("parts", ())
    gone = extra.get("deprecated")
    name = row["name"].replace("_", " ") if recipe.get("blanks") else row["name"]
    return Node(
        id=ids[code],
        level=int(extra.get("level", row["level"])) - 1,
        parent=ids[parent] if parent else None,
        children=tuple(ids[child] for child in children),
        name=recipe.get("names", {}).get(code, name),
        # Groups that were made here have no official code.
        code=None if row["source"].split(";")[0] == "editorial" else code,
        kind="mixed" if parts else extra.get("kind") or _kind(name, recipe),
        color=_color(row, recipe.get("colors", {}).get(code)),
        parts=_shares(parts, ids),
        labels=MappingProxyType(extra.get("labels", {})),
        synonyms=tuple(extra.get("synonyms", ())),
        definition=extra.get("definition"),
        also=tuple(ids[other] for other in extra.get("also", ())),
        regions=tuple(extra.get("regions", ())),
        deprecated=gone and Deprecated("1.0.0", tuple(ids[other] for other in gone["use"]), gone.get("note")),
        note=extra.get("note"),
    )


def _kind(name: str, recipe: Mapping[str, Any]) -> Any:
    """The first kind whose pattern is found in the name: legends that are consistent need no list."""
    found = (kind for kind, pattern in recipe.get("kinds", {}).items() if re.search(pattern, name, re.IGNORECASE))
    return next(found, "class")


def _with_mean_colors(nodes: list[Node]) -> list[Node]:
    """Upper classes without a colour get the mean of those below them, so that maps of their levels can be drawn."""
    colors = {node.id: node.color for node in nodes}
    for node in reversed(nodes):
        below = [color for child in node.children if (color := colors[child])]
        if not colors[node.id] and below:
            rgb = [[int(color[at : at + 2], 16) for color in below] for at in (1, 3, 5)]
            colors[node.id] = "#" + "".join(f"{round(sum(channel) / len(channel)):02x}" for channel in rgb)
    return [replace(node, color=colors[node.id]) for node in nodes]


def _shares(parts: Any, ids: Mapping[str, str]) -> Mapping[str, float | None]:
    if isinstance(parts, Mapping):
        return MappingProxyType({ids[code]: share for code, share in parts.items()})
    return MappingProxyType({ids[code]: None for code in parts})


def _parts(recipe: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    if "parts" not in recipe:
        return {}
    with (HERE / "facts" / recipe["parts"]).open(encoding="utf-8", newline="") as lines:
        return {row["id_or_code"]: (row["component_1"], row["component_2"]) for row in csv.DictReader(lines)}


def _special(id_: str, row: Mapping[str, str], entry: Mapping[str, Any]) -> Special:
    color = entry.get("color") or _color(row, None)
    return Special(id_, entry["role"], entry.get("name", row["name"]), color=color, note=entry.get("note"))


def _color(row: Mapping[str, str], override: str | None) -> str | None:
    if override or not row["r"]:
        return override
    return f"#{int(row['r']):02x}{int(row['g']):02x}{int(row['b']):02x}"


def _encodings(
    name: str, recipe: Mapping[str, Any], rows: Mapping[str, Mapping[str, str]], ids: Mapping[str, str]
) -> dict[str, Encoding]:
    found: dict[str, Encoding] = {}
    levels: list[str] = recipe["levels"]
    for key, entry in recipe.get("encodings", {}).items():
        level = entry.get("level")
        if key == "default":
            column = "id_or_code" if recipe.get("code_pixels") else "pixel_value"
            pixels = [(int(value), code) for code, row in rows.items() for value in row[column].split()]
            pixels += [(v, code) for code, more in recipe.get("classes", {}).items() for v in more.get("pixel", [])]
            pixels += [(v, code) for code, more in recipe.get("special", {}).items() for v in more.get("pixel", [])]
        else:
            pixels = [(int(value), code) for value, code in entry["values"].items()]
        lost = sorted(code for _, code in pixels if code not in ids)
        if lost:
            raise ValueError(f"{name}: encoding {key} names {', '.join(lost)}, which is no class")
        values = tuple(sorted((value, value, ids[code]) for value, code in pixels))
        at = None if level is None else levels.index(level)
        found[key] = Encoding(key, entry["dtype"], values, at, entry.get("nodata"), entry.get("about"))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
