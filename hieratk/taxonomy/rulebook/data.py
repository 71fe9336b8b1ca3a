"""Pages of family C: what `hieratk taxonomy compile` and `hieratk check-raster` say.

The example of a rule about rasters is a description of one: type, nodata tag, values with their counts, colour table;
`beside` holds the tree. Tests write that raster.
"""

from hieratk.taxonomy.rulebook.page import Rule

_TREE = "version: 1.0.0\ntree: {forest: 1, water: 2}\nspecial:\n  outside: {role: nodata, pixel: 0}\n"


def _beside(text: str = _TREE) -> tuple[tuple[str, str], ...]:
    return (("tree.yaml", "hieratk: taxonomy/1\n" + text),)


def _flat(count: int) -> str:
    """A tree of so many leaves, sixteen to a line."""
    rows = [range(start, min(start + 16, count + 1)) for start in range(1, count + 1, 16)]
    lines = ",\n  ".join(", ".join(f"c{value}: {value}" for value in row) for row in rows)
    return f"tree: {{\n  {lines}}}\nencodings:\n  default: {{dtype: uint16}}\n"


RULES = (
    Rule(
        code="C001",
        name="too-many-classes-for-index",
        severity="error",
        what="a level has more classes than the index type and its ignore value allow",
        why=(
            "Two classes would share an index, or one would be ignored. `compile --index` takes uint8 (255 stands for"
            " no label, so 255 classes at most), int16, int32 or int64; the examples are compiled with uint8."
        ),
        wrong=_flat(256),
        right=_flat(16),
    ),
    Rule(
        code="C002",
        name="level-with-one-class",
        severity="warning",
        what="a level has a single class",
        why="A model has nothing to decide there, and every score of that level is 1.",
        wrong="tree:\n  land: {forest: 1, water: 2}\n",
        right="tree:\n  land: {forest: 1, field: 2}\n  sea: 3\n",
    ),
    Rule(
        code="C003",
        name="no-leaf-in-encoding",
        severity="error",
        what="no leaf has a value in the chosen encoding",
        why="No raster in it says anything about the classes at the bottom.",
        wrong="tree: {forest: , water: }\n",
        right="tree: {forest: 1, water: 2}\n",
    ),
    Rule(
        code="C004",
        name="also-overlaps",
        severity="info",
        what="`also` makes the classes of a level overlap",
        why=(
            "Levels are partitions by the parent in the tree: losses and scores use that one only, `also` counts for"
            " queries and distances."
        ),
        wrong="tree:\n  wet: {rice: 1, reed: 2}\n  fields: {maize: 3}\nclasses:\n  rice: {also: [fields]}\n",
        right="tree:\n  wet: {rice: 1, reed: 2}\n  fields: {maize: 3, oats: 4}\n",
    ),
    Rule(
        code="C005",
        name="undeclared-values",
        severity="error",
        what="a raster holds values that nobody declared",
        why=(
            "Their pixels are ignored in training and scoring, and lost in a remap. Most often it is another edition of"
            " the legend, another encoding, or a nodata value that no one wrote down."
        ),
        wrong="raster: {dtype: uint8, nodata: 0, values: {0: 5, 1: 3, 2: 4, 7: 1}}\n",
        right="raster: {dtype: uint8, nodata: 0, values: {0: 5, 1: 3, 2: 4}}\n",
        beside=_beside(),
    ),
    Rule(
        code="C006",
        name="value-never-occurs",
        severity="info",
        what="a declared value never occurs in a raster",
        why="Fine for one scene; in a whole data set it is a class that can be neither learned nor scored.",
        wrong="raster: {dtype: uint8, nodata: 0, values: {0: 5, 1: 3}}\n",
        right="raster: {dtype: uint8, nodata: 0, values: {0: 5, 1: 3, 2: 4}}\n",
        beside=_beside(),
    ),
    Rule(
        code="C007",
        name="nodata-differs",
        severity="warning",
        what="the nodata tag of a raster is not the value that the tree declares",
        why=(
            "GDAL and everything built on it leaves out the tagged pixels, hieratk those that the tree names: the two"
            " count different pixels. Where the tagged value is a class, the tree is right here."
        ),
        wrong="raster: {dtype: uint8, nodata: 2, values: {0: 5, 1: 3, 2: 4}}\n",
        right="raster: {dtype: uint8, nodata: 0, values: {0: 5, 1: 3, 2: 4}}\n",
        beside=_beside(),
    ),
    Rule(
        code="C008",
        name="colors-differ",
        severity="info",
        what="the colour table of a raster differs from the colours of the tree",
        why="Publishers change colours between releases; it may also be the first sign of another legend.",
        wrong='raster: {dtype: uint8, nodata: 0, values: {0: 5, 1: 3, 2: 4}, colors: {1: "#ff0000"}}\n',
        right='raster: {dtype: uint8, nodata: 0, values: {0: 5, 1: 3, 2: 4}, colors: {1: "#00ff00"}}\n',
        beside=_beside(_TREE + 'classes:\n  forest: {color: "#00ff00"}\n'),
    ),
)
