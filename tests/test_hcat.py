"""HCAT 3: every code rolls up to its parent; a rule that clears one digit at a time goes astray on 108 of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from hieratk.taxonomy.catalog import load
from hieratk.taxonomy.tree import Taxonomy

FACTS = Path(__file__).parent.parent / "taxonomies" / "facts" / "hcat3.csv"
WIDTHS = (1, 1, 2, 2, 2, 2)
"""Digits that each level adds (known: the layout of the published codes)."""

# Codes on which clearing the last digit that is not 0, until a known code is left, leads to a sibling in place of the
# parent: what torchgeo does in `EuroCrops.get_label` (known: read in its source; measured here). A pair of digits from
# 11 on loses its last digit first, so that 3301011100, meslin, becomes 3301011000, spelt.
ASTRAY = """
3301011100 3301011200 3301011300 3301011400 3301011500 3301061100 3301061200 3301061211 3301061212 3301061213
3301061214 3301061215 3301061216 3301061217 3301061218 3301061219 3301061221 3301061222 3301061223 3301061224
3301061225 3301061226 3301061227 3301061228 3301061229 3301061231 3301061232 3301061233 3301061234 3301061235
3301061236 3301061237 3301061238 3301061239 3301061300 3301061400 3301061500 3301061600 3301081100 3301081200
3301081300 3301081400 3301081500 3301081600 3301081700 3301081800 3301081900 3301082100 3301082200 3301082300
3301082400 3301082500 3301082600 3301082700 3301082800 3301082900 3301083100 3301083200 3301083300 3301083400
3301083500 3301083600 3301083700 3301083800 3301083900 3301084100 3301084200 3301084300 3301084400 3301084500
3301084600 3301084700 3301084800 3301084900 3301085100 3301085200 3301110000 3301120000 3301130000 3301140000
3301150000 3301160000 3301170000 3301180000 3301190000 3301210000 3301210211 3301210212 3301220000 3301230000
3301240000 3301250000 3301260000 3301270000 3301280000 3301290000 3301310000 3303011100 3303011200 3303011300
3303011400 3303011500 3303021100 3303021200 3303021300 3303021400 3303110000 3303120000
"""


@pytest.fixture(scope="module")
def hcat() -> Taxonomy:
    return load("hcat3")


@pytest.fixture(scope="module")
def published() -> Mapping[str, str]:
    """Parent of each code in the table that the tree was made from."""
    with FACTS.open(encoding="utf-8", newline="") as stream:
        return {row["id_or_code"]: row["parent_code"] for row in csv.DictReader(stream)}


def digit_by_digit(code: str, known: Mapping[str, object]) -> str:
    """The first known code on the way of clearing digits from the right; "" where there is none."""
    while code.strip("0"):
        digits = code.rstrip("0")
        code = digits[:-1].ljust(len(code), "0")
        if code in known:
            return code
    return ""


def by_level(code: str, known: Mapping[str, object]) -> str:
    """The longest known run of whole levels above a code; "" where there is none."""
    ends = [sum(WIDTHS[: level + 1]) for level in range(len(WIDTHS))]
    for end in reversed(ends):
        above = code[:end].ljust(len(code), "0")
        if above != code and above in known:
            return above
    return ""


def test_every_code_rolls_up_to_its_parent(hcat: Taxonomy, published: Mapping[str, str]) -> None:
    codes = {node.code: node for node in hcat}
    assert len(codes) == 384
    assert codes.keys() == published.keys()
    for code, node in codes.items():
        assert code is not None
        above = "" if node.parent is None else hcat[node.parent].code
        assert above == published[code] == by_level(code, published), code


def test_every_code_rolls_up_to_the_top(hcat: Taxonomy, published: Mapping[str, str]) -> None:
    """The whole chain, and with it the class of every code on every level above its own."""
    by_code = {node.code: node for node in hcat}
    for code, node in by_code.items():
        chain, at = [], published[str(code)]
        while at:
            chain.append(by_code[at].id)
            at = published[at]
        assert list(hcat.ancestors(node.id)) == chain
        for above in chain:
            assert set(hcat.allowed(node.id)) <= set(hcat.allowed(above))


def test_one_digit_at_a_time_is_wrong_for_these(hcat: Taxonomy, published: Mapping[str, str]) -> None:
    wrong = [code for code, parent in published.items() if digit_by_digit(code, published) != parent]
    astray = ASTRAY.split()
    assert len(astray) == 108
    assert sorted(wrong) == astray
    by_code = {node.code: node.id for node in hcat}
    assert by_code[digit_by_digit("3301011100", published)] == "spelt"
    assert (by_code["3301011100"], hcat["meslin"].parent) == ("meslin", "cereal")
    for code in wrong:
        # A sibling, never an ancestor: rolled up in that way, one crop becomes another.
        assert by_code[digit_by_digit(code, published)] not in hcat.ancestors(by_code[code])
