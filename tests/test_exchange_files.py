"""Files as other programs write them: what is read, what is proposed, and what a broken one is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange import IMPORTED, Imported, export, guess_format, import_
from hieratk.taxonomy import catalog
from hieratk.taxonomy.tree import Encoding, Node, Taxonomy

CORINE = """\
level,id_or_code,pixel_value,name,parent_code,r,g,b,source
1,1,,Artificial surfaces,,,,,CLC
2,11,,Urban fabric,1,,,,CLC
3,111,1,Continuous urban fabric,11,230,0,77,CLC
3,112,2,"Other, discontinuous fabric",11,255,0,0,CLC
1,5,,Water,,,,,CLC
3,512,41..42 50,Water bodies,5,128,242,230,CLC
1,0,0,No data,,,,,CLC
"""


def tree(text: str, format_: str, **options: object) -> Taxonomy:
    return import_(Source("legend", text), format_, **options).taxonomy  # type: ignore[arg-type]


def outline(taxonomy: Taxonomy) -> list[tuple[str, str | None]]:
    return [(node.id, node.parent) for node in taxonomy.nodes]


def values(taxonomy: Taxonomy, encoding: str = "default") -> dict[int, str]:
    return {v: id_ for low, high, id_ in taxonomy.encodings[encoding].values for v in range(low, high + 1)}


# --- csv ---------------------------------------------------------------------


def test_a_published_table() -> None:
    found = import_(Source("clc.csv", CORINE), "csv")
    taxonomy = found.taxonomy
    assert taxonomy.id == "clc"
    assert outline(taxonomy) == [
        ("artificial_surfaces", None),
        ("urban_fabric", "artificial_surfaces"),
        ("continuous_urban_fabric", "urban_fabric"),
        ("other_discontinuous_fabric", "urban_fabric"),
        ("water", None),
        ("water_bodies", "water"),
        ("no_data", None),
    ]
    assert [node.code for node in taxonomy.nodes] == ["1", "11", "111", "112", "5", "512", "0"]
    # 512 skips level 2, as the column of levels says.
    assert taxonomy["water_bodies"].level == 2
    assert taxonomy["continuous_urban_fabric"].color == "#e6004d"
    assert values(taxonomy) == {0: "no_data", 1: "continuous_urban_fabric", 2: "other_discontinuous_fabric",
                                41: "water_bodies", 42: "water_bodies", 50: "water_bodies"}  # fmt: skip
    assert taxonomy["water"].source == "CLC"


def test_kinds_are_proposed_and_never_set() -> None:
    found = import_(Source("clc.csv", CORINE), "csv")
    assert {node.kind for node in found.taxonomy.nodes} == {"class"}
    assert not found.taxonomy.special
    assert [guess.split(":")[0] for guess in found.guesses] == [
        "`other_discontinuous_fabric` reads like a residual class",
        "`no_data` reads like missing knowledge",
    ]
    comments = [line for line in found.text.splitlines() if line.startswith("#")]
    assert comments[0] == "# Imported from clc.csv (csv)."
    assert "# to decide: `no_data` reads like missing knowledge: add `kind: unspecified`" in "\n".join(comments)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_line_ends(separator: str) -> None:
    text = "\ufeffid;name;parent;value;colour\nveg;Vegetation;;;\nrice;Rice;veg;2;#00A8E4\n".replace(";", separator)
    taxonomy = tree(text.replace("\n", "\r\n"), "csv")
    assert outline(taxonomy) == [("veg", None), ("rice", "veg")]
    assert taxonomy["rice"].color == "#00a8e4"
    assert values(taxonomy) == {2: "rice"}


def test_columns_are_named() -> None:
    text = "GRID_CODE,CLC_CODE,LABEL3,UPPER\n1,11,Fabric,1\n,1,Surfaces,\n"
    columns = {"pixel": "GRID_CODE", "key": "CLC_CODE", "name": "LABEL3", "parent": "UPPER"}
    assert outline(tree(text, "csv", columns=columns)) == [("surfaces", None), ("fabric", "surfaces")]
    with pytest.raises(ExchangeError, match="has no column `CLC_COD`; did you mean `CLC_CODE`"):
        tree(text, "csv", columns=columns | {"key": "CLC_COD"})
    with pytest.raises(ExchangeError, match="a class has no `pixle`; did you mean `pixel`"):
        tree(text, "csv", columns={"pixle": "GRID_CODE"})


def test_parents_by_code_in_a_table_with_ids() -> None:
    taxonomy = tree("id,code,parent_code\nrice,11,1\nfarm,1,\n", "csv")
    assert outline(taxonomy) == [("farm", None), ("rice", "farm")]


def test_values_that_repeat_between_levels_are_one_encoding_a_level() -> None:
    text = "level,id,pixel,parent\n1,built,1,\n2,road,1,built\n2,house,2,built\n1,water,2,\n"
    found = import_(Source("gid.csv", text), "csv")
    assert values(found.taxonomy, "level1") == {1: "built", 2: "water"}
    assert values(found.taxonomy, "level2") == {1: "road", 2: "house"}
    assert [encoding.level for encoding in found.taxonomy.encodings.values()] == [0, 1]
    assert any("one encoding a level" in guess for guess in found.guesses)


@pytest.mark.parametrize(
    ("column", "dtype"),
    [("255", "uint8"), ("256", "uint16"), ("-1", "int16"), ("70000", "uint32"), ("-40000", "int32")],
)
def test_the_smallest_type_that_fits(column: str, dtype: str) -> None:
    assert tree(f"id,value\na,{column}\n", "csv").encodings["default"].dtype == dtype


CSV_FAULTS = {
    "id,parent\na,b\n": "legend:2: the parent `b` of `a` is not in the file",
    "id,parent\na,b\nb,c\nc,a\n": "legend:2: `a` stands above itself: a -> b -> c -> a",
    "id,value\na,1\nb,1\n": "legend:3: raster value 1 of `b` is that of `a` already, at legend:2",
    "id,value\na,x7\n": "legend:2: column `value` holds `x7`, not raster values",
    "id,value\na,9..7\n": "legend:2: column `value` holds `9..7`",
    "id,r,g,b\na,300,0,0\n": "legend:2: column `r` holds `300`, not an integer from 0 to 255",
    "id,r,g,b\na,3,,0\n": "legend:2: `g` is missing",
    "id,color\na,reddish\n": "legend:2: column `color` holds `reddish`, not a colour",
    "id,name\na,Rock, gravel\n": "legend:2: 3 cells, and the header in row 1 has 2; quote cells",
    'id,name\na,"Rock\n': "legend:2: not a CSV table: unexpected end of data",
    "id,name\na,A\na,B\n": "legend:3: `a` is there already, at legend:2",
    "id,name\nA b,B\n": "legend:2: `A b` cannot be an id",
    "id,code\na,7\nb,7\n": "legend:3: code `7` is used already, at legend:2",
    "id,level,parent\na,2,\nb,2,a\n": "legend:3: `b` is on level 2, and its parent `a` on level 2",
    "id,level\na,0\n": "legend:2: column `level` holds `0`, not an integer from 1 to 60",
    "id,kind\na,resdual\n": "legend:2: column `kind` holds `resdual`, not one of class, residual",
    "id,parts\na,b\n": "legend:2: column `parts` holds `b`",
    "id,labels\na,\"{\"\"french\"\": \"\"x\"\"}\"\n": "legend:2: column `labels` holds",
    "id,id\na,b\n": "legend:1: the column `id` is there twice",
    "id,pixle_value\na,1\n": "legend:1: unknown column `pixle_value`; did you mean `pixel_value`?",
    "a,b\n1,2\n": "legend:1: no column of names, ids or codes among a, b",
    "id,role,parent\nx,nodata,a\na,,\n": "legend:2: `x` below `a`: a value that is no class stands alone",
    "id,value\na,99999999999\n": "legend:2: raster values 99999999999 to 99999999999 fit no integer type",
    "id,kind,parts\na,mixed,\"[\"\"b\"\", \"\"c\"\"]\"\nb,,\n": "legend:2: the part `c` of `a` is not in the file",
    "id\n": "the file holds no classes",
    "  \n": "legend is empty",
}  # fmt: skip


@pytest.mark.parametrize("text", CSV_FAULTS)
def test_csv_faults_name_row_and_column(text: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        tree(text, "csv")
    assert CSV_FAULTS[text] in str(caught.value)


def test_a_cell_over_several_lines_keeps_the_rows_right() -> None:
    with pytest.raises(ExchangeError, match="legend:4: column `value`"):
        tree('id,name,value\na,"two\nlines",1\nb,B,x\n', "csv")


def test_what_is_valid_here_and_no_valid_tree_is_refused_with_its_rule() -> None:
    with pytest.raises(ExchangeError, match="T506"):
        tree('id,kind,parts\na,mixed,"[""b""]"\nb,,\n', "csv")


# --- stac --------------------------------------------------------------------

# Facts of the classification extension, version 2.0.0: fields, types and patterns of a class.
CLASS_SCHEMA = {
    "type": "object",
    "required": ["value", "name"],
    "properties": {
        "value": {"type": "integer"},
        "name": {"type": "string", "pattern": "^[0-9A-Za-z-_]+$"},
        "title": {"type": "string"},
        "description": {"type": "string", "minLength": 1},
        "color_hint": {"type": "string", "pattern": "^([0-9A-Fa-f]{6})$"},
        "nodata": {"type": "boolean"},
        "percentage": {"type": "number", "minimum": 0, "maximum": 100},
        "count": {"type": "integer", "minimum": 0},
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize("name", ["lclu", "usda_cdl", "esa_cci_lc", "mm5b"])
def test_stac_classes_fit_the_extension(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = {"type": "array", "uniqueItems": True, "minItems": 1, "items": CLASS_SCHEMA}
    taxonomy = catalog.load(catalog.shipped() / f"{name}.yaml")
    lists = [json.loads(export(taxonomy, "stac").text)["classification:classes"]]
    outputs = json.loads(export(taxonomy, "mlm").text)["mlm:output"]
    for output, level in zip(outputs, taxonomy.levels, strict=True):
        lists.append(output["classification:classes"])
        assert [entry["value"] for entry in lists[-1]] == list(range(len(level)))
        assert output["result"]["shape"] == [-1, len(level), -1, -1]
    for classes in lists:
        jsonschema.validate(classes, schema)


OLD = [
    {"value": 0, "description": "No Data", "color-hint": "000000", "no_data": True},
    {"value": 10, "description": "Cropland, rainfed", "color-hint": "FFFF64", "regional": False},
    {"values": [20, 21], "name": "water", "description": "Water.", "color-hint": "0046C8", "regional": False},
]


@pytest.mark.parametrize(
    "document",
    [
        OLD,
        {"classification:classes": OLD},
        {"assets": {"map": {"raster:bands": [{"classification:classes": OLD}]}, "thumbnail": {}}},
        {"item_assets": {"a": {"classification:classes": OLD}, "b": {"classification:classes": OLD}}},
    ],
)
def test_older_spellings_anywhere_in_a_document(document: object) -> None:
    found = import_(Source("item.json", json.dumps(document)))
    taxonomy = found.taxonomy
    assert [(node.id, node.name, node.color) for node in taxonomy.nodes] == [
        ("cropland_rainfed", "Cropland, rainfed", "#ffff64"),
        ("water", "water", "#0046c8"),
    ]
    assert taxonomy["water"].definition == "Water."
    assert [(entry.id, entry.role) for entry in taxonomy.special] == [("no_data", "nodata")]
    assert values(taxonomy) == {0: "no_data", 10: "cropland_rainfed", 20: "water", 21: "water"}
    assert found.lost == ("`regional` of 2 classes",)
    assert any("color-hint, no_data, values" in guess for guess in found.guesses)


STAC_FAULTS = {
    '{"a": ': "legend:1:7: not JSON",
    "{}": "no `classification:classes` in it",
    '[{"value": 1.5, "name": "a"}]': "/0: the value 1.5 is no integer",
    '[{"value": 1}]': "/0: a class without name",
    '[{"value": 1, "name": "a", "color_hint": "red"}]': "the colour `red` is not six",
    '{"x": {"classification:classes": [1]}}': "/x/classification:classes/0: a class is an object",
    '{"x": {"classification:classes": [{"value": 1, "name": "a"}]}, '
    '"y": {"classification:classes": [{"value": 1, "name": "b"}]}}': "2 different lists of classes, at /x/",
    "[" * 100_000: "nested too deeply",
    '[{"value": ' + "9" * 5000 + ', "name": "a"}]': "legend: not JSON that can be used",
    '[{"value": 1, "name": "a"}, {"value": 1, "name": "b"}]': "raster value 1 of `b` is that of `a` already",
}


@pytest.mark.parametrize("text", STAC_FAULTS, ids=lambda text: text[:40])
def test_stac_faults_name_the_place(text: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        tree(text, "stac")
    assert STAC_FAULTS[text] in str(caught.value)


# --- qml, rat: xml -----------------------------------------------------------

QML = """\
<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.16.0-Hannover" styleCategories="AllStyleCategories">
  <pipe><rasterrenderer type="paletted" band="1" alphaBand="-1"><colorPalette>
    {entries}
  </colorPalette></rasterrenderer></pipe>
</qgis>
"""
MAPBIOMAS = QML.format(
    entries="""
    <paletteEntry alpha="255" value="1" color="#1f8d49" label="1. Forest"/>
    <paletteEntry alpha="255" value="3" color="#1f8d49" label="1.1. Forest Formation"/>
    <paletteEntry alpha="255" value="6" color="#007785" label="1.4 Floodable Forest"/>
    <paletteEntry alpha="255" value="14" color="#ffefc3" label="3. Farming"/>
    <paletteEntry alpha="255" value="39" color="#f5b3c8" label="3.2.1.1. Soybean"/>
    <paletteEntry alpha="255" value="29" color="#ffaa5f" label="2.4. Rocky Outcrop"/>
    <paletteEntry alpha="255" value="50" color="#ad5100" label="2.4. Herbaceous Sandbank"/>
    <paletteEntry alpha="0" value="0" color="#ffffff" label="6. Not Observed"/>
    <paletteEntry alpha="0" value="27" color="#ffffff" label="6. Not Observed"/>"""
)


def test_legend_numbers_of_a_style_become_a_tree() -> None:
    found = import_(Source("mapbiomas.qml", MAPBIOMAS))
    taxonomy = found.taxonomy
    assert outline(taxonomy) == [
        ("forest", None),
        ("forest_formation", "forest"),
        ("floodable_forest", "forest"),
        ("farming", None),
        ("soybean", "farming"),
        ("rocky_outcrop", None),
        ("herbaceous_sandbank", None),
        ("not_observed", None),
    ]
    assert [node.code for node in taxonomy.nodes] == ["1", "1.1", "1.4", "3", "3.2.1.1", "2.4", None, "6"]
    assert values(taxonomy)[0] == values(taxonomy)[27] == "not_observed"
    said = "\n".join(found.guesses)
    assert "1 legend number used twice, so no code for (2.4 Herbaceous Sandbank)" in said
    assert "no class has the number above: hung higher (3.2.1.1 Soybean" in said
    assert "perhaps no data: 1 class (6. Not Observed)" in said


BOMB = """<!DOCTYPE qgis [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>\n<qgis>&b;</qgis>"""
XML_FAULTS = {
    BOMB: "legend:1:16: the document type declares something of its own",
    '<!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]><qgis>&x;</qgis>': "the document type declares",
    "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'><qgis>&x;</qgis>": "`&x;` stands for something outside",
    "<qgis>\n<pipe></qgis>": "legend:2:9: not well-formed XML: mismatched tag",
    "<qgis>" * 1000: "nested deeper than 64",
    "<svg/>": "no palette in it (its root is <svg>)",
    "<qgis><pipe><rasterrenderer type='singlebandpseudocolor'/></pipe></qgis>": "its renderer is singlebandpseudocolor",
    QML.format(entries='<paletteEntry value="1.5" color="#ffffff" label="a"/>'): "the value `1.5` is no integer",
    QML.format(entries='<paletteEntry value="1" color="white" label="a"/>'): "palette entry 1: the colour `white`",
}


@pytest.mark.parametrize("text", XML_FAULTS, ids=lambda text: text[:40])
def test_xml_faults_and_bombs(text: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        tree(text, "qml")
    assert XML_FAULTS[text] in str(caught.value)


def test_labels_of_our_own_styles_are_taken_apart_exactly() -> None:
    """Codes with blanks, names that begin with numbers: nothing is guessed where the style says what is what."""
    taxonomy = Taxonomy(
        "x",
        (Node("a", 0, name="1.1. Rice", code="A 1"), Node("b", 0, name="1.2. Rice > wet"), Node("c", 0, name="A 1")),
        ("level1",),
        encodings={"default": Encoding("default", "uint8", ((1, 1, "a"), (2, 2, "b"), (3, 3, "c")))},
    )
    back = tree(export(taxonomy, "qml").text, "qml")
    assert [(node.name, node.code, node.parent) for node in back.nodes] == [
        ("1.1. Rice", "A 1", None),
        ("1.2. Rice > wet", None, None),
        ("A 1", None, None),
    ]


RAT = """<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable tableType="thematic">
{columns}{rows}</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""


def rat(columns: list[tuple[str, str, str]], rows: list[list[str]]) -> str:
    fields = "".join(
        f'<FieldDefn index="{i}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>'
        for i, (name, kind, usage) in enumerate(columns)
    )
    lines = "".join(f"<Row>{''.join(f'<F>{cell}</F>' for cell in row)}</Row>" for row in rows)
    return RAT.format(columns=fields, rows=lines)


def test_attribute_tables_of_other_programs() -> None:
    """By usage, whatever the columns are called; colours as fractions; ranges."""
    columns = [("V", "1", "3"), ("W", "1", "4"), ("N", "2", "2"), ("R", "1", "6"), ("G", "1", "7"), ("B", "1", "8"),
               ("Px", "0", "1")]  # fmt: skip
    text = rat(columns, [["7", "9", "Water", "0", "0.5", "1", "12"], ["3.0", "3.0", "Sand", "1", "1", "1", "40"]])
    found = import_(Source("map.tif.aux.xml", text))
    assert [(node.name, node.color) for node in found.taxonomy.nodes] == [("Water", "#0080ff"), ("Sand", "#ffffff")]
    assert values(found.taxonomy) == {7: "water", 8: "water", 9: "water", 3: "sand"}
    assert found.lost == ("1 column (Px)",)
    # Columns known by their names alone.
    plain = [("Value", "0", "0"), ("Class_Name", "2", "0"), ("Red", "0", "0"), ("Green", "0", "0"), ("Blue", "0", "0")]
    assert tree(rat(plain, [["1", "Rice", "1", "2", "3"]]), "rat")["rice"].color == "#010203"


def test_category_names_with_a_color_table() -> None:
    text = """<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category></Category><Category>Rice</Category>
    </CategoryNames><ColorTable><Entry c1="0" c2="0" c3="0" c4="0"/><Entry c1="1" c2="2" c3="3" c4="255"/></ColorTable>
    </PAMRasterBand></PAMDataset>"""
    taxonomy = tree(text, "rat")
    assert values(taxonomy) == {1: "rice"}
    assert taxonomy["rice"].color == "#010203"
    with pytest.raises(ExchangeError, match="a colour table alone has no classes"):
        tree("<PAMDataset><ColorTable/></PAMDataset>", "rat")


def test_rat_faults() -> None:
    columns = [("Value", "0", "5"), ("Class", "2", "2")]
    with pytest.raises(ExchangeError, match="row 1 of the attribute table has 1 cells for 2 columns"):
        tree(rat(columns, [["1"]]), "rat")
    with pytest.raises(ExchangeError, match="row 1: the raster value `x` is no integer"):
        tree(rat(columns, [["x", "a"]]), "rat")
    with pytest.raises(ExchangeError, match="no column of values or none of names"):
        tree(rat(columns[:1], [["1"]]), "rat")
    two = rat(columns, [["1", "a"]]).replace("</PAMDataset>", "") + rat(columns, [["1", "b"]]).replace(
        "<PAMDataset>", ""
    )
    with pytest.raises(ExchangeError, match="attribute tables of their own"):
        tree(two, "rat")
    # Levels that contradict one another end in a message, not in a loop.
    ids = [*columns, ("Id", "2", "0"), ("Level 1 a", "2", "0"), ("Level 2 b", "2", "0")]
    with pytest.raises(ExchangeError, match="stands above itself"):
        tree(rat(ids, [["1", "A", "a", "b", "a"], ["2", "B", "b", "a", "b"]]), "rat")


def test_gdal_reads_the_color_table(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "map.tif"
    taxonomy = catalog.load(catalog.shipped() / "lclu.yaml")
    with rasterio.open(path, "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8",
                       transform=rasterio.transform.from_origin(5, 5, 2, 2)) as file:  # fmt: skip
        file.write(np.full((1, 2, 2), 21, "uint8"))
    path.with_name("map.tif.aux.xml").write_text(export(taxonomy, "rat").text, "utf-8")
    with rasterio.open(path) as file:
        colors = file.colormap(1)
    assert "#{:02x}{:02x}{:02x}".format(*colors[21][:3]) == taxonomy["cropland"].color
    assert colors[49][3] == 0


# --- skos --------------------------------------------------------------------

TTL = """\
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix ex: <http://example.org/agrovoc/> .
ex:scheme a skos:ConceptScheme .
ex:plants a skos:Concept ; skos:prefLabel "Plants"@en, "Plantes"@fr, "植物"@ZH ; skos:narrower ex:rice .
ex:wet a skos:Concept ; skos:prefLabel "Wetland"@en ; skos:notation "10" .
ex:marsh a skos:Concept ; skos:prefLabel "Marsh"@en ; skos:broader ex:wet ; skos:notation "9" .
ex:rice a skos:Concept ; skos:prefLabel "Rice"@en ; skos:altLabel "Paddy"@en, "Reis"@de, "Rice"@en ;
    skos:broader ex:marsh ; skos:exactMatch <http://example.org/other> .
"""


def test_a_thesaurus_with_two_parents() -> None:
    pytest.importorskip("rdflib")
    found = import_(Source("agrovoc.ttl", TTL))
    taxonomy = found.taxonomy
    assert outline(taxonomy) == [("wet", None), ("marsh", "wet"), ("rice", "marsh"), ("plants", None)]
    assert taxonomy["rice"].also == ("plants",)
    assert taxonomy["rice"].synonyms == ("Paddy",)
    assert taxonomy["plants"].labels == {"fr": "Plantes", "zh": "植物"}
    assert taxonomy["wet"].code == "10"
    assert any("1 class has several broader ones" in guess for guess in found.guesses)
    assert any("exactMatch" in item for item in found.lost)


SKOS_FAULTS = {
    "@prefix skos: <x> .\nex:a a skos:Concept .": "legend:2: not turtle: Prefix \"ex:\" not bound",
    "hello": "not turtle",
    "<a> <b> <c> .": "no skos:Concept in it",
    TTL + "ex:wet skos:broader ex:rice .": "a concept is broader than itself: ",
    TTL + "ex:wet skos:broader ex:gone .": "has the broader concept <http://example.org/agrovoc/gone>, which is not in",
    TTL + "ex:more a skos:ConceptScheme .": "2 concept schemes",
}  # fmt: skip


@pytest.mark.parametrize("text", SKOS_FAULTS, ids=lambda text: text[-40:])
def test_skos_faults(text: str) -> None:
    pytest.importorskip("rdflib")
    with pytest.raises(ExchangeError) as caught:
        tree(text, "skos")
    assert SKOS_FAULTS[text] in str(caught.value)


def test_without_rdflib_one_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "rdflib", None)
    with pytest.raises(ExchangeError, match=r"reading SKOS needs rdflib.*pip install 'hieratk\[skos\]'"):
        tree(TTL, "skos")
    assert "skos:Concept" in export(Taxonomy.from_outline({"a": 1, "b": 2}), "skos").text


@pytest.mark.parametrize("name", ["lclu", "hcat4", "usda_cdl", "mm5b"])
def test_skos_integrity(name: str) -> None:
    """S9 (a scheme is no concept), S13 (labels of one kind only), S14 (one preferred label a language)."""
    rdflib = pytest.importorskip("rdflib")
    skos = rdflib.Namespace("http://www.w3.org/2004/02/skos/core#")
    taxonomy = catalog.load(catalog.shipped() / f"{name}.yaml")
    # A synonym that repeats the name, which the notation allows, must not become a second label.
    first = replace(taxonomy.nodes[0], synonyms=(taxonomy.nodes[0].name, "twice", "twice"))
    taxonomy = replace(taxonomy, nodes=(first, *taxonomy.nodes[1:]))
    exported = export(taxonomy, "skos")
    graph = rdflib.Graph().parse(data=exported.text, format="turtle")
    concepts = set(graph.subjects(rdflib.RDF.type, skos.Concept))
    schemes = set(graph.subjects(rdflib.RDF.type, skos.ConceptScheme))
    assert len(concepts) == len(taxonomy.nodes)
    assert len(schemes) == 1
    assert not concepts & schemes
    for concept in concepts:
        preferred = list(graph.objects(concept, skos.prefLabel))
        assert len({label.language for label in preferred}) == len(preferred) >= 1
        assert not set(preferred) & set(graph.objects(concept, skos.altLabel))
    assert any("repeat a name" in item for item in exported.lost)


# --- mmseg, coco, gee --------------------------------------------------------

LOVEDA = """\
@DATASETS.register_module()
class LoveDADataset(BaseSegDataset):
    METAINFO = dict(
        classes=('background', 'building', 'road'),
        palette=[[255, 255, 255], [255, 0, 0], [255, 255, 0]])

    def __init__(self, img_suffix='.png', reduce_zero_label=True, **kwargs) -> None:
        super().__init__(img_suffix=img_suffix, reduce_zero_label=reduce_zero_label, **kwargs)
"""


def test_a_dataset_of_mmsegmentation_is_read_and_never_run() -> None:
    found = import_(Source("loveda.py", LOVEDA))
    assert values(found.taxonomy) == {1: "background", 2: "building", 3: "road"}
    assert found.taxonomy["road"].color == "#ffff00"
    old = "CLASSES = ('a', 'b')\nPALETTE = [[1, 2, 3], [4, 5, 6]]\nraise SystemExit\n"
    assert values(tree(old, "mmseg")) == {0: "a", 1: "b"}
    mapped = "METAINFO = dict(classes=('a', 'b'))\nlabel_map = {0: 255, 5: 1, 7: 0, 8: 0}\n"
    assert values(tree(mapped, "mmseg")) == {5: "b", 7: "a", 8: "a"}


def test_numbers_as_mmsegmentation_applies_them() -> None:
    """The written text, carried out as LoadAnnotations does, gives the class of every raster value or 255."""
    np = pytest.importorskip("numpy")
    for outline_, expected in (
        ({"a": 1, "b": 2}, {0: 255, 1: 0, 2: 1, 255: 255}),
        ({"a": 0, "b": 1}, {0: 0, 1: 1, 255: 255}),
        ({"x": {"a": 3, "b": [7, 9]}, "c": 1}, {3: 0, 7: 1, 9: 1, 1: 2, 20: 255}),
    ):
        taxonomy = Taxonomy.from_outline(outline_, classes={"x": {"pixel": 20}} if "x" in outline_ else None)
        said: dict[str, object] = {}
        exec(export(taxonomy, "mmseg").text, said)
        pixels = np.array(sorted(expected), np.uint8)
        seen = pixels.copy()
        if said["reduce_zero_label"]:
            seen[seen == 0] = 255
            seen = seen - 1
            seen[seen == 254] = 255
        before = seen.copy()
        for old, new in said.get("label_map", {}).items():  # type: ignore[attr-defined]
            seen[before == old] = new
        assert dict(zip(pixels.tolist(), seen.tolist(), strict=True)) == expected


MMSEG_FAULTS = {
    "METAINFO = dict(classes=": "legend:1:16: not Python",
    "METAINFO = dict(classes=make())": "no METAINFO with a tuple of `classes` that is written out",
    "x = 1": "no METAINFO",
    "METAINFO = dict(classes=('a',), palette=[[1, 2]])": "the colour [1, 2] of class 0",
    "METAINFO = dict(classes=('a',))\nlabel_map = {3: 4}": "leads from 3 to class 4; there are 1",
    "METAINFO = dict(classes=('a',))\nMETAINFO = dict(classes=('b',))": "`METAINFO` has two values",
}


@pytest.mark.parametrize("text", MMSEG_FAULTS)
def test_mmseg_faults(text: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        tree(text, "mmseg")
    assert MMSEG_FAULTS[text] in str(caught.value)


def test_coco_categories() -> None:
    text = json.dumps(
        {
            "info": {},
            "categories": [
                {"id": 1, "name": "person", "supercategory": "person", "isthing": 1, "color": [220, 20, 60]},
                {"id": 3, "name": "car", "supercategory": "vehicle", "isthing": 1, "keypoints": []},
                {"id": 8, "name": "truck", "supercategory": "vehicle", "isthing": 1},
                {"id": 9, "name": "road", "supercategory": "none"},
            ],
        }
    )
    found = import_(Source("panoptic.json", text))
    assert outline(found.taxonomy) == [
        ("person", None),
        ("vehicle", None),
        ("car", "vehicle"),
        ("truck", "vehicle"),
        ("road", None),
    ]
    assert values(found.taxonomy) == {1: "person", 3: "car", 8: "truck", 9: "road"}
    assert found.lost == ("`keypoints` of 1 category", "info of the file")
    with pytest.raises(ExchangeError, match="/categories/0: the id null is no integer"):
        tree('{"categories": [{"name": "a"}]}', "coco")


def test_the_catalogue_of_earth_engine() -> None:
    classes = [
        {"value": 111, "color": "E6004D", "description": "Artificial > Urban fabric > Continuous (S.L. > 80 %)"},
        {"value": 112, "color": "FF0000", "description": "Artificial > Urban fabric > Discontinuous"},
        {
            "value": 500,
            "color": "00BFFF",
            "description": "Water: at least 60% of the area is covered by permanent water.",
        },
        {"value": 7, "color": "ffffff", "description": "Trees > 5 m"},
    ]
    found = import_(Source("corine.json", json.dumps({"summaries": {"eo:bands": [{"gee:classes": classes}]}})))
    assert [(node.name, node.level) for node in found.taxonomy.nodes] == [
        ("Artificial", 0),
        ("Urban fabric", 1),
        ("Continuous (S.L. > 80 %)", 2),
        ("Discontinuous", 2),
        ("Water", 0),
        ("Trees > 5 m", 0),
    ]
    assert found.taxonomy["water"].definition == "at least 60% of the area is covered by permanent water."
    lines = "Value\tColor\tDescription\n1\t#e6004d\tArtificial > Fabric\n2\t#00bfff\tWater\n"
    taxonomy = tree(lines, "gee")
    assert outline(taxonomy) == [("artificial", None), ("fabric", "artificial"), ("water", None)]
    assert values(taxonomy) == {1: "fabric", 2: "water"}
    assert outline(tree("1. Forest\n1.1. Dense\n1.2. Open\n", "gee")) == [
        ("forest", None),
        ("dense", "forest"),
        ("open", "forest"),
    ]


def test_an_arrow_in_a_name_is_said() -> None:
    taxonomy = Taxonomy.from_outline({"a": {"b": 1, "c": 2}}, classes={"b": {"name": "wet > dry"}})
    exported = export(taxonomy, "gee")
    assert any("is part of a name (b)" in item for item in exported.lost)
    assert import_(exported.text, "gee").taxonomy["dry"].parent == "wet"
    for name, torn in (("³ squared", False), ("80 % closed", True)):  # a raised three is a digit, but no number
        taxonomy = Taxonomy.from_outline({"a": {"b": 1, "c": 2}}, classes={"b": {"name": name}})
        exported = export(taxonomy, "gee")
        assert any("is part of a name (b)" in item for item in exported.lost) == torn
        assert any(node.name == name for node in import_(exported.text, "gee").taxonomy.nodes) != torn


# --- files and formats -------------------------------------------------------


def test_formats_are_guessed() -> None:
    names = {"a.csv": "csv", "A.TSV": "csv", "a.ttl": "skos", "a.qml": "qml", "a.tif.aux.xml": "rat", "a.py": "mmseg"}
    assert {name: guess_format(name) for name in names} == names
    assert guess_format("a.json", '{"gee:classes": []}') == "gee"
    assert guess_format("a.json", '{"categories": []}') == "coco"
    with pytest.raises(ExchangeError, match=r"a\.xml: its ending does not say"):
        guess_format("a.xml")


def test_unknown_formats_levels_and_encodings() -> None:
    taxonomy = catalog.load(catalog.shipped() / "lclu.yaml")
    for call, message in (
        (lambda: export(taxonomy, "qmll"), "no format `qmll` is written; did you mean `qml`"),
        (lambda: import_("x", "mermaid"), "mermaid is written but not read"),
        (lambda: import_("x", "shp"), "no format `shp` is read"),
        (lambda: export(taxonomy, "stac", level="clas"), "no level `clas`; did you mean `class`"),
        (lambda: export(taxonomy, "stac", encoding="group"), "no encoding `group`; did you mean `groups`"),
        (lambda: export(taxonomy, "csv", level="class"), "csv holds the whole tree"),
        (lambda: export(taxonomy, "skos", level="class"), "skos holds the whole tree"),
        (lambda: export(taxonomy, "mlm", encoding="default"), "leave the encoding out"),
        (lambda: import_("id\na\n", "csv", id="A b"), "`A b` cannot be the id of a taxonomy; write a_b"),
        (lambda: import_("[]", "stac", columns={"id": "x"}), "columns are named for csv"),
    ):
        with pytest.raises(ExchangeError) as caught:
            call()
        assert message in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(b"id\n" + b"a\n" * 5_000_000)
    (tmp_path / "latin.csv").write_bytes("id,name\na,Forêt\n".encode("latin-1"))
    for name, message in (
        ("gone.csv", "there is no file"),
        (".", "is a folder"),
        ("big.csv", "larger than 8 MB"),
        ("latin.csv", "the file is not UTF-8: byte 0xEA in line 2; save it as UTF-8"),
    ):
        with pytest.raises(ExchangeError) as caught:
            import_(tmp_path / name, "csv")
        assert message in str(caught.value)


def test_wide_ranges_are_refused_where_each_value_is_listed() -> None:
    taxonomy = Taxonomy.from_outline({"a": 1})
    wide = Encoding("default", "uint32", ((0, 2**31, "a"),))
    with pytest.raises(ExchangeError, match="has 2147483649 raster values; qml lists each"):
        export(replace(taxonomy, encodings={"default": wide}), "qml")
    assert "0..2147483648" in export(replace(taxonomy, encodings={"default": wide}), "csv").text


def test_hostile_texts_end_in_a_message_or_a_tree() -> None:
    """Whatever a name or a code holds, the document that comes out reads back; comments stay comments."""
    names = [
        "no",
        "a: b",
        "#ff0000",
        "玉米",
        "a\u2028b",
        "'\"",
        "hieratk: ignore-file[T301] x",
        "x" * 200,
        "- a",
        "{x}",
    ]
    text = json.dumps([{"value": i, "name": f"n{i}", "title": name} for i, name in enumerate(names)])
    found: Imported = import_(Source("a\nhieratk: taxonomy/1.json", text), "stac", id="x")
    assert [node.name for node in found.taxonomy.nodes] == names
    assert found.text.splitlines()[0] == "# Imported from 1.json (stac)."
    codes = "id_or_code,name\nwater,a\nA,water\n"
    # `water` is an id in row 2; the class called so in row 3 needs another.
    assert [node.id for node in tree(codes, "csv").nodes] == ["water", "water_2"]
    # A code that reads like the id another class would get.
    assert [node.id for node in tree("code,name\nrice,Field\n9,Rice\n", "csv").nodes] == ["field", "rice_2"]
    lone = tree('[{"value": 1, "name": "a", "title": "\\ud800"}]', "stac")
    assert lone.nodes[0].name == "\ufffd"


def _damaged(text: str, rnd: Random) -> str:
    marks = ['"', "<", ">", "&x;", "{", "]", ",", "\t", "\n", "\0", "-1", "9" * 20, "1.1. ", " > ", "\x85", "", "玉"]
    for _ in range(rnd.choice((1, 1, 2, 5))):
        at, size = rnd.randrange(len(text)), rnd.choice((0, 0, 1, 9))
        text = text[:at] + rnd.choice(marks) + text[at + size :]
    return text


@pytest.mark.parametrize("format_", IMPORTED)
def test_damaged_files_end_in_a_message_or_a_tree(format_: str) -> None:
    """60 seeded damages a format (several thousand were tried by hand): never another exception."""
    if format_ == "skos":
        pytest.importorskip("rdflib")
    rnd = Random(3)
    whole = [export(catalog.load(catalog.shipped() / f"{name}.yaml"), format_).text for name in ("tiny", "lclu")]
    messages = []
    for _ in range(60):
        try:
            import_(Source("damaged", _damaged(rnd.choice(whole), rnd)), format_)
        except ExchangeError as error:
            messages.append(str(error))
    assert len(messages) > 5
    assert all("damaged" in message or "the file holds" in message for message in messages)


@pytest.mark.parametrize(
    ("text", "format_", "message"),
    [
        ("id\n" + "".join(f"a{i}\n" for i in range(20_001)), "csv", "legend holds more than 20000 classes"),
        ("a\n" * 20_001, "gee", "legend holds more than 20000 classes"),
        ("id," + ",".join(f"c{i}" for i in range(300)) + "\n", "csv", "301 columns; at most 200 are read"),
        ("id,name\na," + "x" * 2000 + "\n", "csv", "a name of 2000 characters; at most 1000 are read"),
        ("a" + " > a" * 500_000, "gee", "a name of 1999"),
        ("(" * 100_000, "mmseg", "not Python"),
        ("x = " + "-" * 100_000 + "1", "mmseg", "nested too deeply"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_endless_files_are_refused_while_they_are_read(text: str, format_: str, message: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        tree(text, format_)
    assert message in str(caught.value)
