"""What is wrong with a text, where, and how it is said: to a person on a terminal or to a machine."""

from hieratk.diagnostics.findings import Findings, RuleHead
from hieratk.diagnostics.nearness import nearest
from hieratk.diagnostics.problem import Edit, Fix, Problem, Severity, Source, Span, at_least
from hieratk.diagnostics.render import FORMATS, render, summary

__all__ = [
    "FORMATS",
    "Edit",
    "Findings",
    "Fix",
    "Problem",
    "RuleHead",
    "Severity",
    "Source",
    "Span",
    "at_least",
    "nearest",
    "render",
    "summary",
]
