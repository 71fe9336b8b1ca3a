"""Pages of family T2."""

from hieratk.taxonomy.rulebook.page import Rule

RULES = (
    Rule(
        code="T201",
        name="pixel-claimed-twice",
        severity="error",
        what="a pixel value is claimed twice in one encoding",
        why="A raster value means one class. Where two rasters differ, write one encoding for each.",
        wrong="tree: {forest: 1, water: 1}\n",
        right="tree: {forest: 1, water: 2}\n",
    ),
    Rule(
        code="T202",
        name="pixel-and-dtype",
        severity="error",
        what="a value does not fit the dtype",
        why="It could never occur in the raster.",
        wrong="tree: {forest: 300}\n",
        right=("tree: {forest: 300}\nencodings:\n  default: {dtype: uint16}\n"),
    ),
    Rule(
        code="T203",
        name="range-backwards",
        severity="error",
        what="a range runs backwards",
        why="A range goes from the smaller to the larger value, both included.",
        wrong="tree: {forest: 6..3}\n",
        right="tree: {forest: 3..6}\n",
    ),
    Rule(
        code="T204",
        name="nodata-is-a-class",
        severity="error",
        what="`nodata` of an encoding is mapped to a class",
        why="The pixels would be missing and a class at once.",
        wrong=("tree: {forest: 1, water: 255}\nencodings:\n  default: {dtype: uint8, nodata: 255}\n"),
        right=("tree: {forest: 1, water: 2}\nencodings:\n  default: {dtype: uint8, nodata: 255}\n"),
    ),
    Rule(
        code="T205",
        name="leaf-without-pixel",
        severity="warning",
        what="a leaf has no pixel value in any encoding, though others have one",
        why="No raster can hold the class, so that it is never learned and never scored.",
        wrong="tree: {forest: 1, water: }\n",
        right="tree: {forest: 1, water: 2}\n",
    ),
    Rule(
        code="T206",
        name="inner-pixel",
        severity="info",
        what="a class with children has a pixel value",
        why="Some pixels are labelled only this far; they are learned down to this class and ignored below it.",
        wrong=("tree:\n  forest: {oak: 1, beech: 2}\nclasses:\n  forest: {pixel: 3}\n"),
        right=("tree:\n  forest: {oak: 1, beech: 2}\n"),
    ),
    Rule(
        code="T207",
        name="special-without-pixel",
        severity="info",
        what="a special value has no pixel value",
        why="It says nothing about any raster.",
        wrong=("tree: {forest: 1}\nspecial:\n  cloud: {role: excluded}\n"),
        right=("tree: {forest: 1}\nspecial:\n  cloud: {role: excluded, pixel: 255}\n"),
    ),
    Rule(
        code="T208",
        name="encoding-names-unknown-class",
        severity="error",
        what="an encoding names an unknown class",
        why="Its pixels would be lost.",
        wrong=("tree: {forest: 1, water: 2}\nencodings:\n  old: {dtype: uint8, values: {7: forrest, 8: water}}\n"),
        right=("tree: {forest: 1, water: 2}\nencodings:\n  old: {dtype: uint8, values: {7: forest, 8: water}}\n"),
    ),
    Rule(
        code="T209",
        name="encoding-and-level",
        severity="error",
        what="an encoding with `level:` names a class of another level",
        why="Such a raster shows one level only. A leaf further up stands for itself there.",
        wrong=(
            "levels: [cover, type]\n"
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "encodings:\n"
            "  covers: {dtype: uint8, level: cover, values: {9: oak}}\n"
        ),
        right=(
            "levels: [cover, type]\n"
            "tree:\n"
            "  forest: {oak: 1, beech: 2}\n"
            "encodings:\n"
            "  covers: {dtype: uint8, level: cover, values: {9: forest}}\n"
        ),
    ),
    Rule(
        code="T210",
        name="zero-is-a-class",
        severity="warning",
        what="0 is a class and no nodata value is declared",
        why=(
            "Borders filled with zeros would count as that class. Declare a nodata value, even one that does not occur."
        ),
        wrong="tree: {forest: 0, water: 1}\n",
        right=("tree: {forest: 0, water: 1}\nspecial:\n  no_data: {role: nodata, pixel: 255}\n"),
    ),
    Rule(
        code="T211",
        name="value-means-two-things",
        severity="info",
        what="a value means different classes in two encodings",
        why="Usual where each level has a raster of its own; name the encoding when a raster is read.",
        wrong=("tree: {forest: 1, water: 2}\nencodings:\n  old: {dtype: uint8, values: {1: water}}\n"),
        right=("tree: {forest: 1, water: 2}\nencodings:\n  old: {dtype: uint8, values: {2: water}}\n"),
    ),
)
