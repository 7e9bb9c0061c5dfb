"""The parts of a workbook that hold no rows (ECMA-376, part 2: which parts there are, and how they are found)."""

from __future__ import annotations

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"

PACKAGE_RELATIONS = (
    f'{HEAD}<Relationships xmlns="{RELATIONS}">'
    f'<Relationship Id="rId1" Type="{RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)


def content_types(sheets: int) -> str:
    """The part `[Content_Types].xml`."""
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for number in range(1, sheets + 1)
    )
    return (
        f'{HEAD}<Types xmlns="{TYPES}">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{parts}</Types>'
    )


def workbook(sheets: int) -> str:
    """The part `xl/workbook.xml`: the sheets by name."""
    named = "".join(
        f'<sheet name="Sheet{number}" sheetId="{number}" r:id="rId{number}"/>' for number in range(1, sheets + 1)
    )
    return (
        f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{RELATION}"><bookViews><workbookView/></bookViews>'
        f"<sheets>{named}</sheets></workbook>"
    )


def workbook_relations(sheets: int) -> str:
    """The part `xl/_rels/workbook.xml.rels`: where the sheets and the styles are."""
    targets = [(f"worksheets/sheet{number}.xml", "worksheet") for number in range(1, sheets + 1)]
    related = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATION}/{kind}" Target="{target}"/>'
        for number, (target, kind) in enumerate([*targets, ("styles.xml", "styles")], start=1)
    )
    return f'{HEAD}<Relationships xmlns="{RELATIONS}">{related}</Relationships>'
