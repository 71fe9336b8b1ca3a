"""The layout of documents: `hieratk taxonomy fmt`, the rules F, and what `dump` prints through."""

from hieratk.taxonomy.formatting.formatted import Formatted, format_text
from hieratk.taxonomy.formatting.scalars import COLUMNS, columns, quoted, scalar

__all__ = ["COLUMNS", "Formatted", "columns", "format_text", "quoted", "scalar"]
