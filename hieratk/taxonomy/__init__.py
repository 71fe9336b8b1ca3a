"""The core: a class tree as a document, as a value, and as tables."""
