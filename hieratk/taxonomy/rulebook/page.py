"""One rule and its page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hieratk.diagnostics import Severity
from hieratk.taxonomy.heads import suppressible

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "Y": "Text and YAML",
        "S": "Shape of the document",
        "T0": "Identity of classes",
        "T1": "Tree and levels",
        "T2": "Pixel values and encodings",
        "T3": "Colours",
        "T4": "Names, synonyms, translations",
        "T5": "Kinds",
        "T6": "References, extension, deprecation",
        "T7": "Attributes",
        "P": "Provenance",
        "X": "Crosswalks",
        "V": "Changes between versions",
        "C": "Compilation and data",
        "N": "Suppressions",
        "F": "Format",
    }
)
"""Titles of the families by the beginning of their codes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule says and why. `wrong` and `right` are documents; the line `hieratk: taxonomy/1` is left out where it
    has nothing to do with the matter (`document` puts it back). `beside` holds further documents that the example
    needs, each with the name of its file; the page shows them first. A rule that is `off` is asked only where it is
    selected."""

    code: str
    name: str
    severity: Severity
    what: str
    why: str
    wrong: str
    right: str
    beside: tuple[tuple[str, str], ...] = ()
    off: bool = False

    @property
    def family(self) -> str:
        """The beginning of the code that names the family."""
        return next(family for family in sorted(FAMILIES, key=len, reverse=True) if self.code.startswith(family))

    @property
    def suppressible(self) -> bool:
        """Whether a comment may switch the rule off: not where the file has no meaning without it."""
        return suppressible(self.code, self.severity)


def document(example: str) -> str:
    """An example as a whole document."""
    return example if example.startswith(("hieratk", "\ufeff", "#")) else "hieratk: taxonomy/1\n" + example


def page(rule: Rule) -> str:
    """The page of a rule as Markdown, which also reads well on a terminal."""
    off = "" if rule.suppressible else " It cannot be switched off."
    if rule.off:
        off = " It is asked only where it is selected."
    beside = "".join(f"With `{name}`:\n\n```yaml\n{_shown(text)}```\n\n" for name, text in rule.beside)
    return (
        f"### {rule.code} {rule.name}\n\n"
        f"{rule.what[0].upper()}{rule.what[1:]}. ({rule.severity}){off}\n\n"
        f"{rule.why}\n\n{beside}"
        f"Wrong:\n\n```yaml\n{_shown(rule.wrong)}```\n\nRight:\n\n```yaml\n{_shown(rule.right)}```\n"
    )


def markdown(rules: Iterable[Rule]) -> str:
    """All pages, family by family: the content of docs/rules.md."""
    parts = [
        "# Rules\n",
        "<!-- Made by docs/make_rules.py from hieratk.taxonomy.rulebook; edit there. -->\n",
        "`hieratk taxonomy rule CODE` prints one of these pages. An error keeps a file from being read, a warning is\n"
        "most likely a mistake, an information is shown with `--verbose`. A comment `# hieratk: ignore[CODE] reason`\n"
        "switches a rule off for a line, `# hieratk: ignore-file[CODE] reason` for a file. In the examples the first\n"
        "line, `hieratk: taxonomy/1`, is left out where it has nothing to do with the matter.\n",
    ]
    family = ""
    for rule in rules:
        if rule.family != family:
            family = rule.family
            parts.append(f"## {family}: {FAMILIES[family]}\n")
        parts.append(page(rule))
    return "\n".join(parts)


def _shown(example: str) -> str:
    """The example with everything written out that cannot be seen."""
    names = {"\t": "→", "\ufeff": "<U+FEFF>", "\r": "<CR>", "\u00a0": "<U+00A0>", "\u200b": "<U+200B>", "\0": "<NUL>"}
    shown = "".join(names.get(char, char) for char in example)
    return shown if shown.endswith("\n") or not shown else shown + "\n"
