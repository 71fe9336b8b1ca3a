"""What GeoTIFF itself has no room for: a raster attribute table and a colour table for every band.

They stand in GDAL's side file (`map.tif.aux.xml`, "PAM"), which GDAL and what is built on it (QGIS, rasterio, R) read
with the raster. GeoTIFF's own colour table serves single-band files only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as xml

# GDALRATFieldType and GDALRATFieldUsage of gdal.h (known).
_INTEGER, _STRING = "0", "2"
_COLUMNS = (
    ("Value", _INTEGER, "5"),
    ("Class", _STRING, "2"),
    ("Id", _STRING, "0"),
    ("Red", _INTEGER, "6"),
    ("Green", _INTEGER, "7"),
    ("Blue", _INTEGER, "8"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a raster value means: its class's name and id, and its colour (red, green, blue)."""

    value: int
    name: str
    id: str
    color: tuple[int, int, int]


def side_file(bands: Sequence[Sequence[Entry]], *, dtype: str) -> bytes:
    """The side file of a raster whose bands hold classes. Colour tables need values of uint8 or uint16."""
    root = xml.Element("PAMDataset")
    for number, entries in enumerate(bands, 1):
        band = xml.SubElement(root, "PAMRasterBand", band=str(number))
        if dtype in ("uint8", "uint16"):
            _text(band, "ColorInterp", "Palette")
            _color_table(band, entries)
        _attribute_table(band, entries)
    xml.indent(root)
    text: bytes = xml.tostring(root, encoding="utf-8")
    return text


def _color_table(band: xml.Element, entries: Sequence[Entry]) -> None:
    table = xml.SubElement(band, "ColorTable")
    colors = {entry.value: entry.color for entry in entries}
    for value in range(max(colors, default=-1) + 1):
        # A value without a class is transparent.
        rgba = (*colors[value], 255) if value in colors else (0, 0, 0, 0)
        xml.SubElement(table, "Entry", {f"c{i}": str(channel) for i, channel in enumerate(rgba, 1)})


def _attribute_table(band: xml.Element, entries: Sequence[Entry]) -> None:
    table = xml.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(_COLUMNS):
        column = xml.SubElement(table, "FieldDefn", index=str(index))
        _text(column, "Name", name)
        _text(column, "Type", kind)
        _text(column, "Usage", usage)
    for index, entry in enumerate(sorted(entries, key=lambda entry: entry.value)):
        row = xml.SubElement(table, "Row", index=str(index))
        for cell in (entry.value, entry.name, entry.id, *entry.color):
            _text(row, "F", str(cell))


def _text(parent: xml.Element, tag: str, text: str) -> None:
    xml.SubElement(parent, tag).text = text
