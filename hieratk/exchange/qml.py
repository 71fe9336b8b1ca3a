"""QGIS: the palette of a raster layer's style (`.qml`), with raster value, label and colour."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree as xml

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.counting import lost, number, some
from hieratk.exchange.legend import legend, lost_roles, made_up_colors, shown_color, unclear_values, valued
from hieratk.exchange.numbering import unfold
from hieratk.exchange.records import Exported, Found, Row
from hieratk.exchange.sources import clean, color_of, integer, parse_xml, xml_text
from hieratk.taxonomy.tree import Taxonomy

_HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_CODES = "hieratk/codes"


def write_qml(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """A style with one palette entry a raster value, labelled with code and name; no data is transparent.

    Which codes the labels begin with stands in the style's custom properties, so that reading it takes them off again.
    """
    found = legend(taxonomy, level=level, encoding=encoding)
    shown = valued(taxonomy, found, "qml")
    root = xml.Element("qgis", version="3.22", styleCategories="Symbology")
    properties = xml.SubElement(xml.SubElement(root, "customproperties"), "Option", type="Map")
    codes = {str(value): xml_text(entry.code) for entry in shown if entry.code for value in entry.each()}
    xml.SubElement(properties, "Option", type="QString", name=_CODES, value=json.dumps(codes, ensure_ascii=False))
    pipe = xml.SubElement(root, "pipe")
    renderer = xml.SubElement(
        pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor=""
    )
    xml.SubElement(renderer, "rasterTransparency")
    palette = xml.SubElement(renderer, "colorPalette")
    for entry in shown:
        label = xml_text(f"{entry.code} {entry.name}" if entry.code else entry.name)
        for value in entry.each():
            xml.SubElement(
                palette,
                "paletteEntry",
                value=str(value),
                color=entry.color or shown_color(taxonomy, entry.id),
                label=label,
                alpha="0" if entry.role == "nodata" else "255",
            )
    xml.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    xml.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    xml.SubElement(pipe, "rasterresampler", maxOversampling="2")
    xml.SubElement(root, "blendMode").text = "0"
    xml.indent(root)
    missing = lost(
        taxonomy, carried={"code", "color", "special:color"}, shown={e.id for e in shown}, encoding=found.encoding
    )
    missing += lost_roles(shown)
    text = _HEAD + xml.tostring(root, encoding="unicode") + "\n"
    return Exported(text, (*missing, *made_up_colors(shown), *unclear_values(found)))


def read_qml(source: Source) -> Found:
    """The classes of a palette; legend numbers in the labels (`3.2.1. Soy bean`) become levels."""
    root = parse_xml(source)
    entries = root.findall(".//paletteEntry")
    if root.tag != "qgis" or not entries:
        kinds = sorted({renderer.get("type", "?") for renderer in root.iter("rasterrenderer")})
        what = f"its renderer is {', '.join(kinds)}" if kinds else f"its root is <{root.tag}>"
        raise ExchangeError(
            f"{source.name}: no palette in it ({what}); in QGIS choose the renderer Paletted/Unique values and save the"
            " style again"
        )
    codes = _codes(root)
    rows: dict[tuple[str, ...], Row] = {}
    clear: list[str] = []
    faint = 0
    for index, entry in enumerate(entries, 1):
        row = _row(f"{source.name}: palette entry {index}", entry, codes or {})
        if entry.get("alpha") == "0":
            clear.append(row.name)
        elif entry.get("alpha") not in (None, "255"):
            faint += 1
        # One label in one colour for several values is one class with several values.
        same = (row.name, row.color or "", row.code or "")
        before = rows.get(same)
        rows[same] = row if before is None else replace(before, values=before.values + row.values)
    # A style written here says which codes its labels begin with, and its names are names.
    unfolded, guesses = unfold(list(rows.values())) if codes is None else (list(rows.values()), [])
    if clear:
        names = list(dict.fromkeys(clear))
        guesses.append(
            f"transparent in the style, perhaps no data: {number(len(names), 'class', 'classes')} {some(names)};"
            " if so, move them to `special`"
        )
    dropped = (f"opacity of {number(faint, 'entry', 'entries')}",) if faint else ()
    return Found(tuple(unfolded), {}, (), dropped, tuple(guesses))


def _codes(root: xml.Element) -> dict[str, str] | None:
    for option in root.iter("Option"):
        if option.get("name") == _CODES:
            try:
                value = json.loads(option.get("value", ""))
            except (ValueError, RecursionError):
                return None
            if isinstance(value, dict):
                return {key: code for key, code in value.items() if isinstance(code, str)}
    return None


def _row(where: str, entry: xml.Element, codes: dict[str, str]) -> Row:
    value = integer(entry.get("value", ""))
    if value is None:
        raise ExchangeError(f"{where}: the value `{entry.get('value')}` is no integer; a class has a whole number")
    text = entry.get("color", "")
    color = color_of(text)
    if color is None:
        raise ExchangeError(f"{where}: the colour `{text}` is not #rrggbb")
    label = clean(entry.get("label", ""))
    code = clean(codes.get(str(value), "")) or None
    if code is not None and label.startswith(f"{code} "):
        label = label[len(code) :].strip()
    else:
        code = None
    return Row(f"value {value}", where, label or f"value {value}", code=code, values=((value, value),), color=color)
