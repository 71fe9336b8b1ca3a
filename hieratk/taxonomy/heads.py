"""Names and severities of rules without their pages: checking a taxonomy loads no rulebook.

A test holds that this table and the pages say the same. Rules of other documents are looked up in the rulebook.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from hieratk.diagnostics import RuleHead, Severity

HEADS: Mapping[str, tuple[str, Severity]] = MappingProxyType(
    {
        "Y001": ("not-yaml", "error"),
        "Y002": ("not-text", "error"),
        "Y003": ("byte-order-mark", "warning"),
        "Y004": ("tab-indentation", "error"),
        "Y005": ("several-documents", "error"),
        "Y006": ("text-needs-quotes", "error"),
        "Y007": ("duplicate-key", "error"),
        "Y008": ("yaml-extra", "error"),
        "Y009": ("full-width-punctuation", "error"),
        "Y010": ("no-blank-after-colon", "error"),
        "Y011": ("number-for-text", "warning"),
        "Y012": ("word-for-text", "warning"),
        "Y013": ("color-is-a-comment", "error"),
        "Y014": ("comma-ends-text", "error"),
        "Y015": ("odd-characters", "warning"),
        "Y016": ("blank-at-the-edge", "error"),
        "Y017": ("odd-line-breaks", "warning"),
        "Y018": ("too-large", "error"),
        "Y019": ("empty", "error"),
        "S001": ("no-kind", "error"),
        "S002": ("not-known-yet", "error"),
        "S003": ("unknown-key", "error"),
        "S004": ("wrong-shape", "error"),
        "S005": ("missing-key", "error"),
        "S006": ("unknown-word", "error"),
        "S007": ("malformed-value", "error"),
        "S008": ("no-value", "error"),
        "S009": ("keys-at-odds", "error"),
        "S011": ("id-and-file-name", "warning"),
        "T001": ("id-used-twice", "error"),
        "T002": ("code-used-twice", "error"),
        "T003": ("name-used-twice", "warning"),
        "T004": ("name-of-ancestor", "info"),
        "T005": ("malformed-id", "error"),
        "T006": ("id-is-a-word-of-yaml", "warning"),
        "T007": ("code-is-an-id", "error"),
        "T008": ("code-and-pattern", "warning"),
        "T009": ("code-and-parent", "warning"),
        "T010": ("prefix-without-class", "info"),
        "T011": ("ids-almost-equal", "info"),
        "T101": ("no-classes", "error"),
        "T102": ("circle", "error"),
        "T103": ("deeper-than-levels", "error"),
        "T104": ("level-not-below-parent", "error"),
        "T105": ("only-child", "info"),
        "T106": ("leaf-above-last-level", "info"),
        "T107": ("further-parent-in-line", "error"),
        "T108": ("further-parent-deeper", "warning"),
        "T109": ("empty-level", "warning"),
        "T112": ("levels-and-base", "error"),
        "T201": ("pixel-claimed-twice", "error"),
        "T202": ("pixel-and-dtype", "error"),
        "T203": ("range-backwards", "error"),
        "T204": ("nodata-is-a-class", "error"),
        "T205": ("leaf-without-pixel", "warning"),
        "T206": ("inner-pixel", "info"),
        "T207": ("special-without-pixel", "info"),
        "T208": ("encoding-names-unknown-class", "error"),
        "T209": ("encoding-and-level", "error"),
        "T210": ("zero-is-a-class", "warning"),
        "T211": ("value-means-two-things", "info"),
        "T301": ("siblings-same-color", "warning"),
        "T302": ("leaves-same-color", "info"),
        "T303": ("color-of-parent", "info"),
        "T304": ("siblings-close-color", "info"),
        "T305": ("color-of-special", "warning"),
        "T306": ("color-missing", "info"),
        "T308": ("black-or-white", "info"),
        "T401": ("synonym-of-another", "warning"),
        "T402": ("synonym-of-itself", "info"),
        "T403": ("malformed-language-tag", "error"),
        "T404": ("translation-missing", "info"),
        "T405": ("label-in-main-language", "error"),
        "T406": ("broken-letters", "warning"),
        "T407": ("long-name", "info"),
        "T501": ("two-residuals", "warning"),
        "T502": ("residual-with-children", "warning"),
        "T503": ("reads-like-residual", "warning"),
        "T504": ("reads-like-unknown", "warning"),
        "T505": ("unspecified-without-parent", "error"),
        "T506": ("mixed-without-parts", "error"),
        "T507": ("shares-and-one", "error"),
        "T508": ("part-in-line", "error"),
        "T509": ("residual-only-child", "warning"),
        "T601": ("unknown-class", "error"),
        "T602": ("base-not-found", "error"),
        "T603": ("base-version", "error"),
        "T604": ("extension-circle", "error"),
        "T605": ("extend-unknown-class", "error"),
        "T606": ("base-class-declared-again", "error"),
        "T607": ("locked-by-base", "error"),
        "T608": ("deprecated-without-use", "warning"),
        "T609": ("replacement-unusable", "error"),
        "T610": ("live-child-of-deprecated", "warning"),
        "T701": ("attribute-not-declared", "error"),
        "T702": ("attribute-value", "error"),
        "T703": ("attribute-without-unit", "warning"),
        "T704": ("attribute-inherited", "info"),
        "P001": ("no-license", "info"),
        "P002": ("no-source", "info"),
        "P003": ("license-not-spdx", "warning"),
        "P004": ("base-license", "warning"),
        "P005": ("no-identity", "info"),
        "N001": ("unused-suppression", "warning"),
        "N002": ("suppression-without-code", "warning"),
        "N003": ("suppression-of-unknown-rule", "warning"),
    }
)
"""Name and severity by code."""

OFF = frozenset({"T011", "T106", "T404"})
"""Codes of rules that are asked only where they are selected."""

# A mixed class without parts or one that is part of itself means as little as a class without an id.
_NEVER_OFF = ("Y", "S", "T0", "T1", "T2", "T5", "T6")


def suppressible(code: str, severity: Severity) -> bool:
    """Whether a rule may be switched off: not an error of a family without which a file has no meaning."""
    return severity != "error" or not code.startswith(_NEVER_OFF)


@cache
def heads() -> Mapping[str, RuleHead]:
    """Names and severities by code, as `Findings` takes them; each is made when it is first asked for."""
    return _Heads()


class _Heads(dict[str, RuleHead]):
    def __missing__(self, code: str) -> RuleHead:
        if code in HEADS:
            head = RuleHead(*HEADS[code], off=code in OFF)
        else:
            from hieratk.taxonomy.rulebook import rules

            rule = rules()[code]
            head = RuleHead(rule.name, rule.severity, off=rule.off)
        self[code] = head
        return head
