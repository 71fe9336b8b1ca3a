"""Every rule of the language: name, severity and page. The source of docs/rules.md and `hieratk taxonomy rule`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from hieratk.taxonomy.heads import heads
from hieratk.taxonomy.rulebook import (
    colors,
    crosswalks,
    data,
    formats,
    identity,
    kinds,
    names,
    pixels,
    provenance,
    references,
    shape,
    text,
    trees,
    versions,
)
from hieratk.taxonomy.rulebook.page import FAMILIES, Rule, markdown, page

__all__ = ["FAMILIES", "Rule", "heads", "markdown", "page", "rules"]


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by its code, in the order of the codes."""
    families = (
        text,
        shape,
        identity,
        trees,
        pixels,
        colors,
        names,
        kinds,
        references,
        provenance,
        crosswalks,
        versions,
        data,
        formats,
    )
    every = [rule for family in families for rule in family.RULES]
    every.sort(key=lambda rule: list(FAMILIES).index(rule.family))
    return MappingProxyType({rule.code: rule for rule in every})
