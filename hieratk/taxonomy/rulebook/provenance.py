"""Pages of families P and N."""

from hieratk.taxonomy.rulebook.page import Rule
from hieratk.taxonomy.rulebook.references import LAND

RULES = (
    Rule(
        code="P001",
        name="no-license",
        severity="info",
        what="the document names no `license`",
        why="Nobody else knows whether it may be used. Fine for a tree of your own.",
        wrong=("version: 1.0.0\ntitle: Example\nsource: [{title: Own work}]\ntree: {forest: 1}\n"),
        right=(
            "id: example\n"
            "version: 1.0.0\n"
            "title: Example\n"
            "license: CC0-1.0\n"
            "source: [{title: Own work}]\n"
            "tree: {forest: 1}\n"
        ),
    ),
    Rule(
        code="P002",
        name="no-source",
        severity="info",
        what="the document names no `source`",
        why="A legend is only as good as the place it was taken from.",
        wrong=("version: 1.0.0\ntitle: Example\nlicense: CC0-1.0\ntree: {forest: 1}\n"),
        right=(
            "id: example\n"
            "version: 1.0.0\n"
            "title: Example\n"
            "license: CC0-1.0\n"
            "source: [{title: Own work}]\n"
            "tree: {forest: 1}\n"
        ),
    ),
    Rule(
        code="P003",
        name="license-not-spdx",
        severity="warning",
        what="`license` is not written like an SPDX identifier or LicenseRef-",
        why="Programs that gather licences compare identifiers. Checked is the form; the list of SPDX grows.",
        wrong=("license: free for all\ntree: {forest: 1}\n"),
        right=("license: LicenseRef-free-for-all\ntree: {forest: 1}\n"),
    ),
    Rule(
        code="P004",
        name="base-license",
        severity="warning",
        what="the licence of an extension is more open than a share-alike or non-commercial one of its base",
        why="What grows from a base holds the base, and may be passed on under the terms of its licence only.",
        wrong=(
            "license: CC-BY-4.0\n"
            'extends: {taxonomy: land, version: ">=1.0,<2"}\n'
            "levels: [cover, type, crop]\n"
            "extend:\n"
            "  cropland: {rice: 11, maize: 12}\n"
        ),
        right=(
            "license: CC-BY-SA-4.0\n"
            'extends: {taxonomy: land, version: ">=1.0,<2"}\n'
            "levels: [cover, type, crop]\n"
            "extend:\n"
            "  cropland: {rice: 11, maize: 12}\n"
        ),
        beside=(LAND,),
    ),
    Rule(
        code="P005",
        name="no-identity",
        severity="info",
        what="`id`, `version` or `title` is missing",
        why="The id is then the file name and the version 0.0.0, which no extension or crosswalk can pin.",
        wrong=("license: CC0-1.0\nsource: [{title: Own work}]\ntree: {forest: 1}\n"),
        right=(
            "id: example\n"
            "version: 1.0.0\n"
            "title: Example\n"
            "license: CC0-1.0\n"
            "source: [{title: Own work}]\n"
            "tree: {forest: 1}\n"
        ),
    ),
    Rule(
        code="N001",
        name="unused-suppression",
        severity="warning",
        what="a suppression switches nothing off",
        why="What it was written for is gone, or the rule cannot be switched off.",
        wrong="tree: {forest: 1}  # hieratk: ignore[T205] no raster yet\n",
        right="tree: {forest: 1, water: }  # hieratk: ignore[T205] no raster yet\n",
    ),
    Rule(
        code="N002",
        name="suppression-without-code",
        severity="warning",
        what="a suppression names no rule",
        why="It would hide whatever comes.",
        wrong="tree: {forest: 1}  # hieratk: ignore\n",
        right="tree: {forest: 1, water: }  # hieratk: ignore[T205]\n",
    ),
    Rule(
        code="N003",
        name="suppression-of-unknown-rule",
        severity="warning",
        what="a suppression names an unknown rule",
        why="Most likely a typing mistake.",
        wrong="tree: {forest: 1}  # hieratk: ignore[T999]\n",
        right="tree: {forest: 1, water: }  # hieratk: ignore[T205]\n",
    ),
)
