"""Readers of single values: text to what it means, or a finding (rules Y011, Y012, Y014, Y016, S003 to S008, T403)."""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from typing import Any

from hieratk.diagnostics import Edit, Findings, Fix, Span
from hieratk.documents import Mapping, Scalar, Sequence, Value, as_number, as_word, plain, quote
from hieratk.taxonomy import spec
from hieratk.taxonomy.complaints import Complaints
from hieratk.taxonomy.draft import Details, Pixels
from hieratk.taxonomy.patterns import risk

_ID = re.compile(spec.ID_PATTERN)
_COLOR = re.compile(spec.COLOR_PATTERN)
_URL = r"[a-z][a-z0-9+.-]*://[^\s]+|doi:\S+"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,11})")
_RANGE = r"(-?(?:0|[1-9][0-9]{0,11}))\.\.(-?(?:0|[1-9][0-9]{0,11}))"
_SHARE = r"(0?\.[0-9]{1,17}|[01](\.0{0,17})?|[01])"
_SPECIFIER = r"\s*(~=|==|!=|<=|>=|<|>)\s*[0-9]+(\.[0-9]+)*(\.\*)?\s*"


class Fields:
    """Reads values and reports what is wrong with them; None stands for what was reported."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.report = findings.add
        self.say = Complaints(findings)

    def fields(self, value: Value, key: Scalar, table: Map[str, spec.Key]) -> Details | None:
        """The keys of a mapping by their table."""
        details = Details(key)
        if type(value) is not Mapping:
            self.say.wrong_shape(value, key, "a mapping")
            return None
        typed, raw = details.typed, details.raw
        previous: tuple[Scalar, Value] | None = None
        tails: list[Scalar] = []
        for name, item in value.entries:
            known = table.get(name.text)
            if known is None:
                if self.say.is_tail(value, previous, item):
                    tails.append(name)
                elif meant := self.say.unknown_key(name, table):
                    # It stands in for the key that was meant, so that nobody misses that one.
                    raw.setdefault(meant, item)
                    details.keys.setdefault(meant, name)
                continue
            if tails and previous is not None:
                self.say.comma(previous, tails)
                tails = []
            previous = name, item
            raw[name.text] = item
            details.keys[name.text] = name
            if type(item) is Scalar and not item.text and not item.quoted:
                self.report(
                    "S008", name.span, f"key `{name.text}` has no value", help="write a value, or remove the key"
                )
                continue
            found = self._word(item, name, known.words) if known.words else getattr(self, known.type)(item, name)
            if found is not None:
                typed[name.text] = found
        if tails and previous is not None:
            self.say.comma(previous, tails)
        for known in table.values():
            if known.required and known.name not in raw and known.name not in value.lost:
                self.report(
                    "S005", key.span, f"`{key.text}` needs the key `{known.name}`", help=f"it says {known.about}"
                )
        return details

    def text(self, value: Value, key: Scalar) -> str | None:
        """Text of any content."""
        if type(value) is not Scalar:
            self.say.wrong_shape(value, key, "text")
            return None
        text = value.text
        if not value.quoted:
            if not text:
                self.report("S008", key.span, f"key `{key.text}` has no value")
                return None
            if seen := as_number(text):
                self.say.quotes("Y011", value, seen)
            elif seen := as_word(text):
                self.say.quotes("Y012", value, seen)
            elif text[0] in "“‘":
                span = Span(value.span.start, value.span.start + 1)
                self.report(
                    "Y009", span, "typographic quote; YAML needs the ASCII one", help=f"write {quote(text[1:-1])}"
                )
        elif not text:
            self.report("S007", value.span, f"`{key.text}` is empty", help="write a text, or remove the key")
            return None
        return text

    def name(self, value: Value, key: Scalar) -> str | None:
        """Text on one line that is shown to people."""
        text = self.text(value, key)
        if text is None or text == text.strip():
            return text
        # Block text ends with a line break by the way it is written.
        if text.rstrip("\n") != text.strip():
            self.say.blanks(value, text, f"name '{text}'", "warning")
        return text.strip() or None

    def code(self, value: Value, key: Scalar) -> str | None:
        """An official code."""
        text = self.text(value, key)
        if text is not None and text != text.strip():
            self.say.blanks(value, text, f"code '{text}'", "error")
        return text

    def id(self, value: Value, key: Scalar) -> str | None:
        """An id."""
        text = self.text(value, key)
        if text is None or self.good_id(value, text, "id"):
            return text
        return None

    def good_id(self, value: Value, text: str, what: str, code: str = "T005") -> bool:
        """Whether a text is an id; else reported under the code."""
        if _ID.fullmatch(text) and len(text) <= spec.ID_LONGEST:
            return True
        if text != text.strip():
            self.say.blanks(value, text, f"{what} '{text}'", "error")
            return False
        if len(text) > spec.ID_LONGEST:
            self.report(
                code, value.span, f"{what} of {len(text)} characters", help=f"at most {spec.ID_LONGEST} are allowed"
            )
            return False
        slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
        good = bool(_ID.fullmatch(slug))
        self.report(
            code,
            value.span,
            f"{what} `{text}` is not made of lower-case letters, digits and single underscores",
            help=f"write `{slug}`" if good else "begin with a letter a-z",
            fix=Fix("unsafe", (Edit(value.span, slug),)) if good else None,
        )
        return False

    def ids(self, value: Value, key: Scalar) -> tuple[str, ...] | None:
        """A list of ids, each once; whether they exist is asked later."""
        items = self._list(value, key, "ids")
        return None if items is None else tuple(item.text for item in items)

    def names(self, value: Value, key: Scalar) -> tuple[str, ...] | None:
        """A list of texts, each once."""
        items = self._list(value, key, "texts")
        return None if items is None else tuple(item.text.strip() for item in items)

    def labels(self, value: Value, key: Scalar) -> dict[str, str] | None:
        """Names by language tag."""
        if type(value) is not Mapping:
            self.say.wrong_shape(value, key, "a mapping from language to text")
            return None
        found: dict[str, str] = {}
        previous: tuple[Scalar, Value] | None = None
        for tag, item in value.entries:
            if not re.fullmatch(spec.LANGUAGE_PATTERN, tag.text):
                if previous is not None and self.say.is_tail(value, previous, item):
                    self.say.comma(previous, [tag])
                else:
                    self.report(
                        "T403", tag.span, f"`{tag.text}` is not a language tag", help="such as fr, zh, pt-BR or zh-Hant"
                    )
                continue
            if not tag.quoted and (seen := as_word(tag.text)):
                self.say.quotes("Y012", tag, seen)
            previous = tag, item
            text = self.name(item, tag)
            if text is not None:
                found[tag.text] = text
        return found

    def version(self, value: Value, key: Scalar) -> str | None:
        """MAJOR.MINOR.PATCH."""
        text = self._scalar(value, key)
        if text is None or re.fullmatch(spec.VERSION_PATTERN, text):
            return text
        numbers = re.fullmatch(r"v?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?", text)
        way = ".".join(str(int(part or 0)) for part in numbers.groups()) if numbers else "1.0.0"
        self.say.malformed(value, f"version `{text}`", "MAJOR.MINOR.PATCH", f"write {way}")
        return None

    def lang(self, value: Value, key: Scalar) -> str | None:
        """A language tag."""
        text = self.text(value, key)
        if text is None or re.fullmatch(spec.LANGUAGE_PATTERN, text):
            return text
        self.say.malformed(value, f"`{text}`", "a language tag", "such as en, zh or pt-BR")
        return None

    def color(self, value: Value, key: Scalar) -> str | None:
        """A colour, in lower case."""
        text = self._scalar(value, key)
        if text is None:
            return None
        if _COLOR.fullmatch(text):
            return text.lower()
        digits = text.lstrip("#")
        good = bool(re.fullmatch(r"[0-9a-fA-F]{6}", digits))
        self.say.malformed(value, f"`{text}`", "a colour", f'write "#{digits if good else "rrggbb"}"')
        return None

    def date(self, value: Value, key: Scalar) -> str | None:
        """YYYY, YYYY-MM or YYYY-MM-DD."""
        text = self.text(value, key)
        if text is None or re.fullmatch(spec.DATE_PATTERN, text):
            return text
        self.say.malformed(value, f"`{text}`", "a date", 'write "YYYY-MM-DD", "YYYY-MM" or "YYYY"')
        return None

    def url(self, value: Value, key: Scalar) -> str | None:
        """An address."""
        text = self.text(value, key)
        if text is None or re.fullmatch(_URL, text):
            return text
        self.say.malformed(value, f"`{text}`", "an address", "such as https://example.org/legend")
        return None

    def specifier(self, value: Value, key: Scalar) -> str | None:
        """Version bounds such as `>=1.0,<2`."""
        text = self._scalar(value, key)
        if text is None or all(re.fullmatch(_SPECIFIER, part) for part in text.split(",")):
            return text
        self.say.malformed(value, f"`{text}`", "a range of versions", 'such as ">=1.0,<2"')
        return None

    def pattern(self, value: Value, key: Scalar) -> str | None:
        """A regular expression that cannot run for ever."""
        text = self._scalar(value, key)
        if text is None:
            return None
        reason = risk(text)
        if reason:
            self.say.malformed(value, f"`{text}`", "a usable pattern", reason)
            return None
        return text

    def integer(self, value: Value, key: Scalar) -> int | None:
        """An integer."""
        text = self._scalar(value, key)
        if text is None:
            return None
        if _INTEGER.fullmatch(text):
            return int(text)
        self.say.malformed(value, f"`{text}`", "an integer", "write decimal digits")
        return None

    def pixel(self, value: Value, key: Scalar) -> list[Pixels] | None:
        """Raster values: an integer, a range or a list of both."""
        if type(value) is Mapping:
            self.say.wrong_shape(value, key, "a raster value")
            return None
        if type(value) is Sequence:
            if not value.items:
                self.report(
                    "S007", value.span, f"the list of `{key.text}` is empty", help="write a value, or remove it"
                )
                return None
            found = []
            for item in value.items:
                if type(item) is not Scalar:
                    self.say.wrong_shape(item, key, "a raster value")
                elif (one := self.pixels(item)) is not None:
                    found.append(one)
            return found
        assert isinstance(value, Scalar)
        one = self.pixels(value)
        return None if one is None else [one]

    def pixels(self, value: Scalar) -> Pixels | None:
        """One integer or range `a..b`."""
        text = value.text
        if _INTEGER.fullmatch(text):
            number = int(text)
            return Pixels(number, number, value.span)
        if match := re.fullmatch(_RANGE, text):
            low, high = int(match[1]), int(match[2])
            if low <= high:
                return Pixels(low, high, value.span)
            self.report("T203", value.span, f"the range `{text}` runs backwards", help=f"write {high}..{low}")
            return None
        way = "write an integer, or a range such as 3..7"
        if match := re.fullmatch(r"(\d+)\s*(?:-|\.{1,3}|:)\s*(\d+)", text):
            way = f"a range is written {match[1]}..{match[2]}"
        elif re.fullmatch(r"0[0-9]+", text):
            way = f"write {text.lstrip('0') or '0'}; a leading zero means octal to a YAML 1.1 reader"
        self.say.malformed(value, f"`{text}`", "a raster value", way)
        return None

    def parts(self, value: Value, key: Scalar) -> dict[str, float | None] | None:
        """Parts of a mixed class: a list of ids, or ids with shares."""
        if type(value) is Sequence:
            items = self._list(value, key, "ids")
            return None if items is None else dict.fromkeys(item.text for item in items)
        if type(value) is not Mapping:
            self.say.wrong_shape(value, key, "a list of classes, or classes with shares")
            return None
        found: dict[str, float | None] = {}
        for part, share in value.entries:
            text = self._scalar(share, part)
            if text is None:
                continue
            number = float(text) if re.fullmatch(_SHARE, text) else 0.0
            if not 0 < number <= 1:
                self.say.malformed(share, f"`{text}`", "a share", "write a number above 0 and up to 1")
                continue
            found[part.text] = number
        return found if len(found) == len(value.entries) else None

    def attrs(self, value: Value, key: Scalar) -> dict[str, tuple[Scalar, Scalar]] | None:
        """Attribute values as written; their types are known to the declaration only."""
        if type(value) is not Mapping:
            self.say.wrong_shape(value, key, "a mapping from attribute to value")
            return None
        found = {}
        for name, item in value.entries:
            if type(item) is not Scalar:
                self.say.wrong_shape(item, name, "one value")
            elif item.empty:
                self.report(
                    "S008", name.span, f"key `{name.text}` has no value", help="write a value, or remove the key"
                )
            else:
                found[name.text] = (name, item)
        return found

    def level(self, value: Value, key: Scalar) -> str | None:
        """The name of a level; whether it exists is asked later."""
        return self._scalar(value, key)

    def deprecated(self, value: Value, key: Scalar) -> Details | None:
        """Since when, and what to use."""
        return self.fields(value, key, spec.DEPRECATED)

    def meta(self, value: Value, key: Scalar) -> dict[str, Any] | None:
        """A mapping of any content."""
        if type(value) is not Mapping:
            self.say.wrong_shape(value, key, "a mapping")
            return None
        found: dict[str, Any] = plain(value)
        return found

    def values(self, value: Value, key: Scalar) -> list[tuple[Pixels, Scalar]] | None:
        """Raster values and ranges with the class each stands for."""
        if type(value) is not Mapping:
            self.say.wrong_shape(value, key, "a mapping from raster value to class")
            return None
        found = []
        for number, id_ in value.entries:
            pixels = self.pixels(number)
            if not isinstance(id_, Scalar):
                self.say.wrong_shape(id_, number, "the id of a class")
            elif id_.empty:
                self.report("S008", number.span, f"raster value `{number.text}` has no class", help="write a class")
            elif pixels is not None:
                found.append((pixels, id_))
        return found

    def _list(self, value: Value, key: Scalar, what: str) -> list[Scalar] | None:
        if type(value) is not Sequence:
            way = f"write [{value.text}]" if isinstance(value, Scalar) else ""
            self.say.wrong_shape(value, key, f"a list of {what}", way)
            return None
        found: dict[str, Scalar] = {}
        for item in value.items:
            text = self.name(item, key) if what == "texts" else self._scalar(item, key)
            if text is None:
                continue
            assert isinstance(item, Scalar)
            if text in found:
                self.report(
                    "S007", item.span, f"`{text}` is listed twice", related=[(found[text].span, "first listed here")]
                )
            found.setdefault(text, item)
        if not value.items:
            self.report("S007", value.span, f"the list of `{key.text}` is empty", help="remove the key")
            return None
        return list(found.values())

    def _word(self, value: Value, key: Scalar, words: tuple[str, ...]) -> str | None:
        text = self._scalar(value, key)
        if text is None or text in words:
            return text
        way = self.findings.did_you_mean(text, words) or f"the words are {', '.join(words)}"
        self.report("S006", value.span, f"`{text}` is no word for `{key.text}`", help=way)
        return None

    def _scalar(self, value: Value, key: Scalar) -> str | None:
        """Text whose own rule says whether it is right, so that numbers need no quotes."""
        if type(value) is not Scalar:
            self.say.wrong_shape(value, key, "one value")
            return None
        if value.empty:
            self.report("S008", key.span, f"key `{key.text}` has no value", help="write a value, or remove the key")
            return None
        return value.text
