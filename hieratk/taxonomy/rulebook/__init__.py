"""Every rule of the language: name, severity and page. The source of docs/rules.md and `hieratk taxonomy rule`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from hieratk.diagnostics import RuleHead
from hieratk.taxonomy.rulebook import colors, identity, kinds, names, pixels, provenance, references, shape, text, trees
from hieratk.taxonomy.rulebook.page import FAMILIES, Rule, markdown, page

__all__ = ["FAMILIES", "Rule", "heads", "markdown", "page", "rules"]


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by its code, in the order of the codes."""
    families = (text, shape, identity, trees, pixels, colors, names, kinds, references, provenance)
    every = [rule for family in families for rule in family.RULES]
    return MappingProxyType({rule.code: rule for rule in every})


@cache
def heads() -> Mapping[str, RuleHead]:
    """Names and severities by code, as `Findings` takes them."""
    return MappingProxyType({code: RuleHead(rule.name, rule.severity) for code, rule in rules().items()})
