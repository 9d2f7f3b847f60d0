"""Sources: what a file is, and its rows as lists of cells. Runs in a process of its own, see `converting.py`.

Nothing of a file is trusted, and nothing of it is dropped silently: what can not be read is a row with a fault.
"""

import csv
import io
import re
import zipfile
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO
from xml.parsers import expat

from guildhouse.kernel.importing.large_workbooks import is_large, large_rows, opened_large

SAMPLE = 1 << 18  # bytes that are looked at to find out what a file is
LONGEST_LINE = 16 << 20  # characters of one line
LONGEST_ROW = 12 << 20  # characters of one row, over all its lines
LONGEST_CELL = 100_000  # characters that are kept of a cell; no field of any resource takes more
MOST_COLUMNS = 500
MOST_LINES = 1 << 20  # of a sheet, blank ones included: no program writes more
LARGEST_JSON = 64 << 20
LARGEST_UNPACKED = 512 << 20
FEW_BROKEN = 0.3  # of the bytes: no text in another encoding looks so much like UTF-8
DELIMITERS = (",", "\t", ";", "|")
# How a page begins, whatever stands before it.
PAGE = re.compile(
    rb"(?:<!--.*?-->\s*|<\?xml.*?\?>\s*)*<(?:!doctype|html|script|head|body|table|meta|workbook)",
    re.IGNORECASE | re.DOTALL,
)
WORKBOOK = re.compile(rb"xl/(?:workbook|worksheets|_rels|styles|sharedStrings|theme)")
OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
OLE = b"\xd0\xcf\x11\xe0"
WORKBOOKS = ("xlsx", "ods", "xls")
# How pictures, documents and archives begin that hold no rows: taken for text they would be rows of nonsense.
OTHERS = (
    b"%PDF",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
    b"{\\rtf",
    b"BZh",
    b"\xfd7zXZ",
)
ZIP = b"PK\x03\x04"
OWN = b'{"guildhouse":'
# Characters that are everywhere in texts of this script: they tell a right decoding from one that only succeeds.
COMMON = frozenset(
    "的一是不了人在有我他這這個們中來上大為和國地到以說時要就出會可也你對生能而子那得于於着著下自之年過發後作里裡用道行"
    "所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把"
    "機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯"
    "月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入几口認條平系氣題活爾更別打女變四"
    "神總何電數安少報才結反受目太量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則"
    "职务历应聘称联络电话邮箱姓名职位缺公司组织地点薪资职缺薪資待遇公司名稱職稱縣市臺台北高雄工程師專員経験勤務給与"
)


class Unreadable(Exception):
    """The file can not be read as what it is taken for. `why` is a stable code of `unpacking.py`, `known` what there is."""

    def __init__(self, why: str, known: Sequence[str] = ()) -> None:
        self.why, self.known = why, known
        super().__init__(why)


@dataclass
class Found:
    """What a file was found to be. Each of these can be said by the one who sends it, and is then not guessed."""

    format: str
    encoding: str | None = None
    bom: bool = False
    newline: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool = True
    header_line: int | None = None
    above: list[str] = field(default_factory=list)
    sheet: str | None = None
    sheets: list[str] = field(default_factory=list)
    shape: str | None = None
    holds: str | None = None


@dataclass(slots=True)
class SourceRow:
    """A row: the line it starts at (from 1, as a spreadsheet counts), its cells, and what is wrong with it as a whole."""

    line: int
    cells: list[Any]
    fault: str | None = None


def format_of(head: bytes, name: str) -> str:
    """csv, a workbook (xlsx, ods, xls), zip, json, ndjson, html or guildhouse: by the content, else by the file's name."""
    if head.startswith(ZIP):
        return zip_format(head, name)
    if head.startswith(OLE):
        return "xls"
    if head.startswith(OTHERS):
        return "unknown"
    text = in_utf8(head).lstrip()
    if text.startswith(OWN):
        return "guildhouse"
    if text[:1] in (b"{", b"["):
        return json_format(text, name)
    return "html" if PAGE.match(text) else "csv"


def zip_format(head: bytes, name: str) -> str:
    """A workbook, or an archive of anything."""
    if WORKBOOK.search(head) or name.lower().endswith((".xlsx", ".xlsm")):
        return "xlsx"
    return "ods" if OPEN_DOCUMENT in head[:200] else "zip"


def in_utf8(head: bytes) -> bytes:
    """The beginning of a file as UTF-8, without a byte order mark."""
    for mark, encoding in ((BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(mark):
            return head[2:].decode(encoding, "replace").encode("utf-8", "replace")
    return head.removeprefix(BOM_UTF8)


def json_format(text: bytes, name: str) -> str:
    """One JSON document, or one object on each line."""
    first, newline, rest = text.partition(b"\n")
    one_each = first.rstrip().endswith(b"}") and rest.lstrip()[:1] == b"{"
    if one_each or (newline == b"" and name.lower().endswith((".ndjson", ".jsonl"))):
        return "ndjson"
    return "ndjson" if name.lower().endswith((".ndjson", ".jsonl")) and first.rstrip().endswith(b"}") else "json"


# ---- text ----


def encoding_of(path: Path) -> tuple[str, bool]:
    """The encoding, and whether a byte order mark says so. UTF-8 wherever the whole file is that."""
    with path.open("rb") as file:
        head = file.read(SAMPLE)
        for mark, name in ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be")):
            if head.startswith(mark):
                return name, True
        if nuls := head.count(0):
            even = head[::2].count(0)
            if nuls > max(3, len(head) // 50) and min(even, nuls - even) <= nuls // 10:
                return ("utf-16-be" if even > nuls - even else "utf-16-le"), False
        file.seek(0)
        decode = getincrementaldecoder("utf-8")().decode
        try:
            while piece := file.read(1 << 20):
                decode(piece)
        except UnicodeDecodeError as error:
            return legacy_encoding(head if error.start < len(head) else piece), False
    return "utf-8", False


def legacy_encoding(sample: bytes) -> str:
    """The encoding from before Unicode in which the sample reads most like a text."""
    scores = {name: likeness(sample, name) for name in ("big5hkscs", "gb18030", "cp932", "cp1252")}
    if broken_in_utf8(sample) < FEW_BROKEN:
        return "utf-8"
    best = max(scores, key=lambda name: scores[name])
    return "cp950" if best == "big5hkscs" and decodes(sample, "cp950") else best


def broken_in_utf8(sample: bytes) -> float:
    """How much of what is not ASCII is no UTF-8: little, where only some lines were pasted in from elsewhere."""
    broken = sum("\udc80" <= each <= "\udcff" for each in sample.decode("utf-8", "surrogateescape"))
    return broken / max(1, sum(each > 127 for each in sample))


def decodes(sample: bytes, encoding: str) -> bool:
    """Whether the sample reads whole; its end may cut a character."""
    try:
        getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def likeness(sample: bytes, encoding: str) -> float:
    """How much of what is not ASCII reads as common characters, 0 to 1; less for each byte that reads as nothing."""
    text = getincrementaldecoder(encoding)("replace").decode(sample)
    foreign = [each for each in text if each > "\x7f"]
    if not foreign:
        return 0.0
    if encoding == "cp1252":
        between = len(
            re.findall(r"[A-Za-z][\u00c0-\u00ff]|[\u00c0-\u00ff][a-z]|[\u20ac\u2013\u2014\u2019\u00a3]", text)
        )
        return min(1.0, between / len(foreign)) * 0.6
    good = sum(each in COMMON or "\u3040" <= each <= "\u30ff" for each in foreign)
    return (good - 4 * foreign.count("\ufffd")) / len(foreign)


def opened_text(path: Path, encoding: str) -> TextIO:
    """The file as text, newlines as they are; bytes that are no characters become lone surrogates."""
    try:
        file = path.open(encoding=encoding, errors="surrogateescape", newline="")
    except LookupError as error:
        raise Unreadable("wrong-encoding") from error
    try:
        start = file.read(1)
    except UnicodeError as error:
        file.close()
        raise Unreadable("wrong-encoding") from error
    if start != "\ufeff":
        file.seek(0)
    return file


# ---- CSV ----


def look_at_csv(path: Path, said: Mapping[str, Any]) -> Found:
    """Encoding, delimiter and quoting of a CSV; `said` are those that somebody has corrected."""
    encoding, bom = encoding_of(path)
    found = Found("csv", said.get("encoding") or encoding, bom)
    with opened_text(path, str(found.encoding)) as file:
        sample = file.read(SAMPLE)
    newlines = Counter(re.findall(r"\r\n|\n|\r", sample))
    kinds = [{"\r\n": "CRLF", "\n": "LF", "\r": "CR"}[each] for each in newlines]
    found.newline = "mixed" if len(kinds) > 1 else next(iter(kinds), None)
    sample = without_separator_line(sample)
    found.quote = said.get("quote") or quote_of(sample)
    found.escape = said.get("escape") or escape_of(sample, found.quote)
    found.delimiter = said.get("delimiter") or delimiter_of(sample, found)
    return found


def without_separator_line(sample: str) -> str:
    """The text without the line `sep=;` that Excel puts before a CSV."""
    return re.sub(r"\Asep=.\r?\n", "", sample)


def quote_of(sample: str) -> str:
    """The character around cells: the apostrophe, where cells stand between apostrophes and none between quotation marks."""
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|]|\r?$)", sample, re.MULTILINE))
    double = len(re.findall(r'(?:^|[,;\t|])"', sample, re.MULTILINE))
    return "'" if single > 2 and double == 0 else '"'


def escape_of(sample: str, quote: str) -> str | None:
    """The backslash, where it stands before quotation marks inside of cells that nobody doubles."""
    doubled = re.search(rf"[^\\,;|\t\r\n]{re.escape(quote * 2)}", sample)
    return "\\" if f"\\{quote}" in sample and not doubled else None


def delimiter_of(sample: str, found: Found) -> str:
    """The delimiter by which most rows have the same number of cells, and the more cells the better."""
    if match := re.match(r"\Asep=(.)\r?\n", sample):
        return match[1]

    def score(delimiter: str) -> float:
        found.delimiter = delimiter
        widths = Counter(
            len(row.cells) for row in list(csv_rows(io.StringIO(sample, newline=""), found))[:200] if not row.fault
        )
        width, often = max(widths.items(), key=lambda each: (each[0] > 1, each[1]), default=(1, 0))
        return often / max(1, widths.total()) * min(width - 1, 20)

    return max(DELIMITERS, key=score)


def csv_rows(file: TextIO, found: Found) -> Iterator[SourceRow]:
    """The rows of a CSV. A row with a quotation mark that nothing closes is a fault of its first line alone."""
    csv.field_size_limit(LONGEST_ROW)
    lines = Lines(file)
    while True:
        start = lines.number + 1
        reader = csv.reader(lines, delimiter=found.delimiter or ",", quotechar=found.quote or '"',
                            escapechar=found.escape, doublequote=found.escape is None, strict=True)  # fmt: skip
        try:
            for cells in reader:
                yield made_row(start, cells)
                lines.taken()
                start = lines.number + 1
        except csv.Error:
            yield SourceRow(start, [lines.give_back().rstrip("\r\n")[:LONGEST_CELL]], "broken-quotes")
        else:
            return


def made_row(line: int, cells: list[Any]) -> SourceRow:
    """A row, with its fault where it is too wide or a cell too long."""
    if len(cells) > MOST_COLUMNS:
        return SourceRow(line, cells[:MOST_COLUMNS], "too-many-columns")
    if any(isinstance(cell, str) and len(cell) > LONGEST_CELL for cell in cells):
        short = [cell[:LONGEST_CELL] if isinstance(cell, str) else cell for cell in cells]
        return SourceRow(line, short, "cell-too-long")
    return SourceRow(line, cells)


class Lines:
    """The lines of a file, of which those of the row that is being read can be given back."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.number = 0
        self.held: list[str] = []
        self.size = 0
        self.again: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.again.pop() if self.again else self.next_line()
        if not line:
            raise StopIteration
        self.number += 1
        self.held.append(line)
        self.size += len(line)
        if self.size > LONGEST_ROW:
            raise csv.Error("the row is too long")
        return line

    def next_line(self) -> str:
        """A line of the file; of one that is endless, its beginning."""
        line = self.file.readline(LONGEST_LINE)
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith(("\n", "\r")):
            rest = self.file.readline(LONGEST_LINE)
        return line

    def taken(self) -> None:
        """The row is whole: forget its lines."""
        self.held, self.size = [], 0

    def give_back(self) -> str:
        """The row is broken: its first line, and the others are read again."""
        first, *others = self.held
        self.again += reversed(others)
        self.number -= len(others)
        self.taken()
        return first


# ---- spreadsheets ----


def look_at_workbook(path: Path, form: str, said: Mapping[str, Any]) -> Found:
    """The sheets of a workbook; the first with a table that is not hidden is read where nobody says another."""
    if form != "xls":
        check_unpacked(path)
    if form == "ods":
        check_whole(path)
    with broken_at_worst():
        sheets = opened_large(path).sheetnames if is_large(path) else opened_workbook(path).sheet_names
        sheet = said.get("sheet") or filled_sheet(path, sheets)
    if sheet not in sheets:
        raise Unreadable("no-such-sheet", sheets)
    return Found(form, sheet=sheet, sheets=sheets)


def filled_sheet(path: Path, sheets: Sequence[str]) -> str | None:
    """The first sheet that holds a table; else the first that is filled at all; else the first."""
    if len(sheets) < 2 or is_large(path):
        return next(iter(sheets), None)
    book = opened_workbook(path)
    seen = [each.name for each in book.sheets_metadata if str(each.visible).endswith("Visible")] or sheets
    widths = {name: widths_of(book.get_sheet_by_name(name)) for name in seen}
    tables = [name for name, rows in widths.items() if sum(width > 1 for width in rows) > 1]
    return next(iter([*tables, *(name for name, rows in widths.items() if any(rows)), *sheets]))


def widths_of(sheet: Any) -> list[int]:
    """How many cells of each of the first rows are filled."""
    return [sum(cell != "" for cell in cells) for cells in islice(sheet.iter_rows(), 50)]


def check_unpacked(path: Path) -> None:
    """Refuse an archive that unpacks to more than a file of its kind ever has."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(each.file_size for each in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise Unreadable("broken-archive") from error
    if size > LARGEST_UNPACKED:
        raise Unreadable("unpacks-too-large")


def check_whole(path: Path) -> None:
    """Refuse an ODS whose XML is broken: its reader would look for the end of it for ever."""
    parser = expat.ParserCreate()
    try:
        with zipfile.ZipFile(path) as archive, archive.open("content.xml") as content:
            while piece := content.read(1 << 20):
                parser.Parse(piece)
            parser.Parse(b"", True)
    except (expat.ExpatError, KeyError, zipfile.BadZipFile, OSError, ValueError, RuntimeError, zlib.error) as error:
        raise Unreadable("broken-spreadsheet") from error


def opened_workbook(path: Path) -> Any:
    """The workbook. The reader resolves no entities and runs no formulas: of a formula there is its last result."""
    import python_calamine  # noqa: PLC0415 - only files of this kind pay for it

    return python_calamine.CalamineWorkbook.from_path(str(path))


def workbook_rows(path: Path, found: Found) -> Iterator[SourceRow]:
    """The rows of a sheet, dates as ISO text."""
    with broken_at_worst():
        rows = large_rows(path, found.sheet) if is_large(path) else quick_rows(path, found.sheet)
        for line, cells in enumerate(rows, 1):
            if line > MOST_LINES:
                raise Unreadable("broken-spreadsheet")
            yield made_row(line, [plain(cell) for cell in cells])


def quick_rows(path: Path, name: str | None) -> Iterator[list[Any]]:
    """The rows of a sheet; one cell that stands for several rows says the same in each."""
    sheet = opened_workbook(path).get_sheet_by_name(name)
    before = sheet.start[1] if sheet.start else 0  # columns that are blank are not read
    tall = {
        (row, left - before): top
        for (top, left), (bottom, _) in sheet.merged_cell_ranges or ()
        for row in range(top + 1, min(bottom, MOST_LINES) + 1)
    }
    columns = {column for _, column in tall}
    tops: dict[tuple[int, int], Any] = {}
    for n, cells in enumerate(sheet.iter_rows()):
        for column in columns:
            if column < len(cells):
                if (n, column) in tall:
                    cells[column] = tops.get((tall[n, column], column), "")
                else:
                    tops[n, column] = cells[column]
        yield cells


@contextmanager
def broken_at_worst() -> Iterator[None]:
    """Whatever a reader of workbooks stumbles over, the workbook is broken."""
    try:
        yield
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable("broken-spreadsheet") from error


def plain(cell: Any) -> Any:
    """A cell as JSON holds it: whole numbers without a point, times without seconds that nobody wrote."""
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < 1e15 else cell
    if isinstance(cell, str | int | bool) or cell is None:
        return cell
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
