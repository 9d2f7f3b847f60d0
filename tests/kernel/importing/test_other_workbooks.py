"""Workbooks of other kinds than XLSX: what offices of the city send (ODS), and what was saved long ago (XLS)."""

import io
import zipfile
import zlib
from base64 import b85decode
from pathlib import Path

import pytest

from guildhouse.kernel.importing.sources import OPEN_DOCUMENT, Unreadable
from tests.kernel.importing.test_sources import cells, converted

# A workbook of Excel 97 with one sheet, as xlwt has written it.
OLD = zlib.decompress(b85decode(
    'c-'
    'rk)OK4L;6g~5jG#~S=snQBH6s(%IV09xx`}|b9N~s^HioeE&B9T;rAZB4xYc_%)2!cg~LS4A2y77Z96kNCvT2xR3B~iL^B`AordE'
    'U8ssYz96KnvA5VeZV_J7?zR-TA#YIT6T?-mc4G4%%Ts-f*I-L?<XYixoe}ZWyvy%pH^rg+&FYg92G)!voJVyNscXcMckESs#-G-'
    'cve&6X+U9#6k;*t?WaukUq4L6u3$nFKXGVYL-'
    'V?E@gR>TRvpDnKc(!wo%)x*pCUlE4<O1#e1~|ws|4@y~~_8tZ79Jp2}G~cu^GE+OQ>gtoQgLGt^t%7y|{gGnR-YW!;DCZ~^-'
    'WEs;n|M@JSx3icSj7$M+uaaBJGDgDCg1xWw3TyOu4-'
    'a$c}tG}dKfi#RGyht)|BW#rxO`J+^8l1*9ISn{j!79(5))X~e*YoZgX~NNHd@8oG-'
    'vTjpa7n7^5ShLWE#FO<rQdO$vezR|F1zH;&pU;`Y^U(>3UZU|gOAGrUPpd%b^6Aq=aFc)ewa0BJ{<~Y$SUbF3=ByIk-'
    'coO%*rq`npmFYURQ9rj%AQ0IpvMrHD+PQFt<6!)<zm<1LK9hx}>~@%9)Ql@6~5M=xeDw-kD1U$6x8AXrME#kNEO8jAqd+My^QQ*N'
    'eF@_nWsYYk%5%9Gc(s-'
    '7pVIA7<ogBLr9$YVzrb*_viPE6EnWU<+nj%=UuW^0}SSWKAQV*1y!4t#NPVY>nAAlU<06j99x?jXTmvyW|hJprD|jprD|jpzwb{@'
    'ZGU+@0Pbqn|ZUho8NV2DCN~>l7AMvFhIYP^isJU3Cfc=UD5nm2Ae4MCFaQ~elL{hq0y6wBg%fnE1tjfW+qDi&%BBLKevP`9Y0@*p'
    'MQD$@6;XLx&'
))  # fmt: skip
TABLE = [["職缺名稱", "地點", "截止日期"], ["工程師", "臺北", "2026-11-22"], ["會計", "高雄", ""]]
NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)


def open_document(*sheets: str) -> bytes:
    """A workbook of LibreOffice, by hand."""
    made = io.BytesIO()
    body = "".join(f'<table:table table:name="Sheet{n}">{sheet}</table:table>' for n, sheet in enumerate(sheets, 1))
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("mimetype", OPEN_DOCUMENT)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        whole = f"<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body>"
        archive.writestr("content.xml", f"<office:document-content {NAMES}>{whole}</office:document-content>")
    return made.getvalue()


def text(value: str, more: str = "") -> str:
    return f'<table:table-cell office:value-type="string"{more}><text:p>{value}</text:p></table:table-cell>'


def row(*cells_: str) -> str:
    return f"<table:table-row>{''.join(cells_)}</table:table-row>"


def day(value: str) -> str:
    return f'<table:table-cell office:value-type="date" office:date-value="{value}"/>'


def test_a_workbook_of_long_ago_is_read(tmp_path: Path) -> None:
    for name in ("x.xls", "x.csv"):
        summary, rows = converted(tmp_path, OLD, name)
        assert (summary["found"]["format"], summary["found"]["sheets"]) == ("xls", ["職缺"])
        assert ([each["name"] for each in summary["columns"]], cells(rows)) == (TABLE[0], TABLE[1:])


def test_a_workbook_of_libreoffice_is_read(tmp_path: Path) -> None:
    table = [
        row(*map(text, TABLE[0])),
        row(text("工程師"), text("臺北"), day("2026-11-22")),
        row(text("會計"), text("高雄")),
    ]
    summary, rows = converted(tmp_path, open_document("", "".join(table)), "x.ods")
    assert (summary["found"]["format"], summary["found"]["sheet"]) == ("ods", "Sheet2")
    assert ([each["name"] for each in summary["columns"]], cells(rows)) == (TABLE[0], TABLE[1:])


@pytest.mark.parametrize(
    "content", [OLD[:700], OLD[:8] + bytes(600), open_document("x")[:-40], open_document("<broken"), OLD[:4]]
)
def test_one_that_is_broken_says_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"broken-spreadsheet|broken-archive"):
        converted(tmp_path, content, "x")
