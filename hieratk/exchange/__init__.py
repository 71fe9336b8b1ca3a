"""Other people's formats: trees and legends to text and back, and what each of them has no room for.

One module a format. None of them is read before it is asked for, so that a CSV file waits for no RDF library.
"""

from hieratk.errors import ExchangeError
from hieratk.exchange.formats import EXPORTED, IMPORTED, export, guess_format, import_
from hieratk.exchange.records import Exported, Imported

__all__ = ["EXPORTED", "IMPORTED", "ExchangeError", "Exported", "Imported", "export", "guess_format", "import_"]
