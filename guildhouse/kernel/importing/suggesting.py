"""Suggesting: which column fills which field, from what it is called and from what is in it, each with its reason."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from guildhouse.kernel.exporting.words import field_of
from guildhouse.kernel.i18n import LANGUAGES
from guildhouse.kernel.importing.importable import ID, PAY, ImportField, fields_of
from guildhouse.kernel.importing.values import Hints, Unclear, words_of
from guildhouse.kernel.resource import Resource

SEPARATORS = (";", "；", "|", "、", "\n", ",")
# What a thing inside of another may be called without being the one of the row: `company.name` is no name.
GENERAL = frozenset(("name", "id", "title", "url", "value", "type", "kind", "text", "label", "status"))
ENOUGH = 0.8  # of a column's values must be such that it can be told by them
Column = Mapping[str, Any]
# Names that mean the same in the file of any noun, in the languages that people here write.
HEADERS: Mapping[str, tuple[str, ...]] = {
    ID: ("guildhouse id",),
    "name": ("full name", "姓名", "名稱", "名字", "全名"),
    "email": ("e-mail", "mail", "email address", "e-mail address", "電子郵件", "電子信箱", "信箱", "邮箱"),
    "phone": ("telephone", "mobile", "mobile number", "cell", "phone number", "電話", "手機", "聯絡電話", "手机"),
    "website": (
        "homepage",
        "web site",
        "web",
        "web page",
        "web pages",
        "網站",
        "網址",
        "官網",
        "官方網站",
        "個人網站",
        "网站",
    ),
    "url": (
        "link",
        "job link",
        "job url",
        "posting url",
        "apply url",
        "web address",
        "連結",
        "網址",
        "職缺連結",
        "链接",
    ),
    "title": ("標題", "标题"),
    "description": ("details", "summary", "說明", "描述", "簡介", "内容", "內容"),
    "city": ("town", "location", "place", "城市", "地點", "工作地點", "縣市", "地点", "居住地", "居住城市", "現居地"),
    "region": (
        "state",
        "province",
        "state province",
        "state or province",
        "county",
        "area",
        "地區",
        "省",
        "州",
        "省份",
    ),
    "country": ("nation", "country code", "country iso code", "alpha two code", "alpha 2 code", "國家", "國碼", "国家"),
    "latitude": ("lat", "緯度", "纬度"),
    "longitude": ("lng", "lon", "long", "經度", "经度"),
    "skills": ("skill", "required skills", "technologies", "技能", "專長", "技術"),
    "tags": ("tag", "labels", "keywords", "categories", "標籤", "关键词", "關鍵字"),
    "language": ("locale", "語言", "语言"),
    "status": ("state of it", "狀態", "状态"),
    "kind": ("type", "類型", "类型"),
    "text": ("what", "事項", "待辦"),
    "due_at": ("due", "due date", "deadline", "到期", "期限"),
    "body": ("note", "comment", "remark", "備註", "附註", "备注"),
    PAY: ("salary", "pay", "compensation", "wage", "salary range", "薪資", "薪水", "待遇", "薪资", "月薪", "年薪"),
}

# What the two parts of a person's name are called, given and family name, where a row has but one field for both.
NAMES = (
    frozenset(map(words_of, ("first name", "given name", "forename", "名", "名字"))),
    frozenset(map(words_of, ("last name", "surname", "family name", "姓", "姓氏"))),
)


def fingerprint_of(names: Sequence[str]) -> str:
    """What two files with the same header have in common."""
    return sha256("\n".join(words_of(name) for name in names).encode()).hexdigest()


def suggest(resource: Resource[Any], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns that fill a field, each field once: first by the names, then by the values.

    Of two columns for one field it is the one that can be read: `country` may hold names that nobody here knows, and the
    column beside it the codes.
    """
    fields, names = fields_of(resource), known_names(resource)
    taken: dict[str, dict[str, Any]] = {}
    placed = set[int]()
    ways: tuple[tuple[str, Callable[[Column], str | None]], ...] = (
        ("name", lambda column: names.get(words_of(column["name"]))),
        ("name", lambda column: by_part(column["name"], names)),
        ("values", lambda column: by_values(column, fields)),
    )
    for why, told_by in ways:
        told: dict[str, list[Column]] = {}
        for column in columns:
            field = told_by(column) if column["column"] not in placed else None
            if field and field not in taken:
                told.setdefault(field, []).append(column)
        for field, several in told.items():
            column = min(several, key=partial(unread, fields[field]))
            taken[field] = {"column": column["column"], "field": field, "why": why, **hints_for(fields[field], column)}
            placed.add(column["column"])
    found = sorted(taken.values(), key=lambda each: int(each["column"]))
    in_parts = {"name", "email"} <= fields.keys() and "first_name" not in fields and "name" not in taken
    return [*parts_of_name(columns), *found] if in_parts else found


def parts_of_name(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns that together are a person's name, the given one first; none, where one of them is missing."""
    found = [next((each for each in columns if words_of(each["name"]) in names), None) for names in NAMES]
    return [{"column": each["column"], "field": "name", "why": "name"} for each in found if each and all(found)]


def unread(field: ImportField, column: Column) -> int:
    """How many of a column's values are none of this field."""
    return sum(fails(field.read, each, Hints()) for each in column["values"])


def by_part(name: str, names: Mapping[str, str]) -> str | None:
    """The field that a part of a name means: `Deadline (YYYY/MM/DD)`, `姓名 Name`, `E-mail / 電子信箱`, `location.city`."""
    bare = re.sub(r"[(（\[【][^)）\]】]*[)）\]】]?", " ", name)
    first, _, last = name.rpartition(".")
    nested = [(first if words_of(last) in GENERAL else last)] if first and " " not in name else []
    scripts = re.findall(r"[\u2e80-\u9fff]+|[A-Za-z][A-Za-z .'-]*", bare) if re.search(r"[\u2e80-\u9fff]", bare) else []
    for part in (bare, *nested, *re.split(r"[/／|｜:：\n]", bare), *scripts):
        if found := names.get(words_of(part)):
            return found
    return None


def known_names(resource: Resource[Any]) -> dict[str, str]:
    """Every name of a field that is understood, without case and punctuation, and the field; the declared go first."""
    fields, found = fields_of(resource), dict[str, str]()
    for name in fields:
        found.setdefault(words_of(name), name)
    for table in (resource.carry.headers, HEADERS):
        for name, others in table.items():
            if name in fields:
                for other in others:
                    found.setdefault(words_of(other), name)
    for language in LANGUAGES:  # a workbook of ours has the headings of its reader's language
        for name in fields:
            found.setdefault(words_of(field_of(resource.name, name, language)), name)
    return found


def by_values(column: Column, fields: Mapping[str, ImportField]) -> str | None:
    """The field whose values look like nothing else's: an e-mail address, a telephone number, an address of the web."""
    said = [str(each).strip() for each in column["values"]]
    for name, pattern in TELLING:
        matching = sum(bool(re.fullmatch(pattern, each)) for each in said)
        if name in fields and said and matching >= ENOUGH * len(said):
            return name
    return None


TELLING = (
    ("email", r"[^@\s]+@[^@\s]+\.[^@\s.]+"),
    # A number alone may be anybody's: of a telephone it is with a plus or a zero before, or with something between.
    (
        "phone",
        r"(?!\d+\.\d+$)(?!\d{3,4}[./-]\d{1,2}[./-]\d{1,2}(?!\d))(?!\d{1,2}[./-]\d{1,2}[./-]\d{4}(?!\d))"
        r"(?=[+0(]|\d+[\s().-])[+(]?\d[\d\s().-]{6,17}\d",
    ),
    ("url", r"https?://\S+"),
    ("website", r"https?://\S+"),
)


def hints_for(field: ImportField, column: Column) -> dict[str, Any]:
    """How the column is to be read, where its values together say what one alone does not."""
    if field.kind in ("day", "moment"):
        order = agreed(column, field.read, [("dmy", Hints(order="dmy")), ("mdy", Hints(order="mdy"))], "ambiguous-day")
        return {"order": order} if order else {}
    if field.kind in ("number", "whole"):
        decimal = agreed(column, field.read, [(".", Hints(decimal=".")), (",", Hints(decimal=","))], "ambiguous-number")
        return {"decimal": decimal} if decimal else {}
    if field.kind == "list":
        texts = [each for each in column["values"] if isinstance(each, str)]
        found = next((mark for mark in SEPARATORS if any(mark in each for each in texts)), None)
        return {"separator": found} if found and found != "," else {}
    return {}


def agreed(
    column: Column, read: Callable[[Any, Hints], Any], ways: Sequence[tuple[str, Hints]], code: str
) -> str | None:
    """The one way in which every value can be read, if one alone could be read in several; None where it stays open."""
    if not any(fails(read, each, Hints(), code) for each in column["values"]):
        return None
    open_ways = [name for name, hints in ways if not any(fails(read, each, hints) for each in column["values"])]
    return open_ways[0] if len(open_ways) == 1 else None


def fails(read: Callable[[Any, Hints], Any], value: Any, hints: Hints, code: str | None = None) -> bool:
    """Whether a value cannot be read like this (for this reason)."""
    try:
        read(value, hints)
    except Unclear as unclear:
        return code in (None, unclear.code)
    return False
