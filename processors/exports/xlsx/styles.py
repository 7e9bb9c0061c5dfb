"""The styles of a workbook: what cells name by number."""

from __future__ import annotations

from processors.exports.xlsx.xml import HEAD, MAIN

GENERAL, HEADER, DATE, SECONDS, MILLISECONDS = range(5)
SCALE = MILLISECONDS  # SCALE + n: a decimal with n places
PLACES = range(1, 16)
FIRST_FORMAT = 164  # those below are Excel's own

_FORMATS = ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd hh:mm:ss.000", *(f"0.{'0' * each}" for each in PLACES))


def styles() -> str:
    """The part `xl/styles.xml`."""
    formats = "".join(
        f'<numFmt numFmtId="{FIRST_FORMAT + place}" formatCode="{code}"/>' for place, code in enumerate(_FORMATS)
    )
    cells = "".join(
        f'<xf numFmtId="{FIRST_FORMAT + place}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        for place in range(len(_FORMATS))
    )
    font = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
    return (
        f'{HEAD}<styleSheet xmlns="{MAIN}"><numFmts count="{len(_FORMATS)}">{formats}</numFmts>'
        f'<fonts count="2"><font>{font}</font><font><b/>{font}</font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(_FORMATS) + 2}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        f'<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>{cells}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )
