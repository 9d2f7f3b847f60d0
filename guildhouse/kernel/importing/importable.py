"""Importable: the fields that a file can fill, out of a resource's own shapes, and how the cells of each are read."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import date, datetime
from functools import cache, partial
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import orjson

from guildhouse.kernel import shapes
from guildhouse.kernel.errors import Fault
from guildhouse.kernel.importing import amounts, days, values
from guildhouse.kernel.importing.references import parts_of
from guildhouse.kernel.importing.values import Hints, Unclear
from guildhouse.kernel.may import nobody
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.shapes import secrets_of

ID = "id"
PAY = "pay"
LONGEST_MET, MOST_MET = 60, 5000
BARE_ADDRESS = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}(?:[/?#]\S*)?", re.IGNORECASE)
SEVERAL = re.compile(r"[\s,;|、；]+(?=https?://)", re.IGNORECASE)  # between addresses in one cell
# What people and spreadsheets write where there is nothing: no text that means it, but no value of any other kind.
NOTHING = frozenset(
    (
        "-",
        "--",
        "–",
        "—",
        "n/a",
        "#n/a",
        "null",
        "nil",
        "none",
        "無",
        "无",
        "#value!",
        "#ref!",
        "#name?",
        "#div/0!",
    )
)
# 8.07524E+08, and ##### where a column was too narrow.
NOT_SHOWN = re.compile(r"\d(?:\.\d+)?E\+\d{2,3}|#{3,}", re.IGNORECASE)
TEXTS = frozenset(("line", "text", "list", "flag", "pay"))


@dataclass(frozen=True)
class ImportField:
    """A field that a file can fill. `kind` is what its cells hold: text, number, day, choice, list..."""

    name: str
    kind: str
    read: Callable[[Any, Hints], Any]
    known: tuple[str, ...] = ()


def is_importable(resource: Resource[Any]) -> bool:
    """Whether rows can come in from any file: they are created by hand."""
    return resource.shapes.create is not None and resource.may.create is not nobody


@cache
def fields_of(resource: Resource[Any]) -> Mapping[str, ImportField]:
    """The fields that may be sent to create or to change a row, and `id`, which finds one; `pay` where it is declared,
    and the parts of the keys that name other rows. No secrets: an uploaded file is kept."""
    found = {ID: ImportField(ID, "id", read_text)}
    for shape in (resource.shapes.update, resource.shapes.create):
        if shape is not None:
            names = shape.model_fields.keys() - secrets_of(shape)
            for name, hint in get_type_hints(shape, include_extras=True).items():
                if name in names:
                    found[name] = field_of(resource, name, hint)
    if resource.carry.pay:
        found[PAY] = ImportField(PAY, "pay", read_pay)
    for name, (_, target, part) in parts_of(resource).items():
        found[name] = replace(fields_of(target)[part], name=name)
    return found


def field_of(resource: Resource[Any], name: str, hint: Any) -> ImportField:
    """A field by the type that its shape gives it."""
    hint = without_none(hint)
    for known, kind, read in KINDS:
        if hint == known:
            is_phone = kind == "line" and resource.carry.kinds.get(name) == "phone"
            return ImportField(name, kind, read_phone if is_phone else read)
    base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(base) is Literal:
        options = tuple(map(str, get_args(base)))
        words = resource.carry.words.get(name, {})
        return ImportField(name, "choice", partial(read_choice, known=options, words=words), options)
    if get_origin(base) is list:
        return ImportField(name, "list", read_list)
    kind, read = PLAIN.get(base, ("object", read_object))
    return ImportField(name, kind, read)


def without_none(hint: Any) -> Any:
    """The type without its None."""
    if get_origin(hint) in (Union, UnionType):
        rest = [each for each in get_args(hint) if each is not type(None)]
        return rest[0] if len(rest) == 1 else str
    return hint


def read_text(cell: Any, _hints: Hints) -> str:
    """Text, as it is; a number as its digits, a list of one text as that."""
    if isinstance(cell, list) and len(cell) == 1 and isinstance(cell[0], str):
        cell = cell[0]
    if isinstance(cell, list | dict):
        return orjson.dumps(cell).decode()
    return values.text_of(str(cell)).strip()


def read_line(cell: Any, hints: Hints) -> str:
    """Text of one line. Raises `Unclear` for what a spreadsheet has written in the place of a number."""
    said = " ".join(read_text(cell, hints).split())
    if NOT_SHOWN.fullmatch(said):
        raise Unclear(
            "not-shown", "a spreadsheet has left digits out here: format the column as text, and save it again"
        )
    return said


def read_phone(cell: Any, hints: Hints) -> str:
    """A telephone number, its full-width digits made narrow; one that a spreadsheet took for a number, as its digits."""
    return values.tidy(read_line(cell, hints))


def read_url(cell: Any, hints: Hints) -> str:
    """An address of the web, of several the first; people leave its beginning out."""
    said = SEVERAL.split(read_line(cell[0] if isinstance(cell, list) and cell else cell, hints))[0]
    return f"https://{said}" if BARE_ADDRESS.fullmatch(said) else said


def read_number(cell: Any, hints: Hints, *, money: bool = False) -> float:
    """A number."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    if isinstance(cell, str) and cell.isascii() and cell.isdigit():
        return float(cell)
    return amounts.number(money_text(read_text(cell, hints)) if money else read_text(cell, hints), hints, money=money)


def money_text(text: str) -> str:
    """An amount without the sign of its currency."""
    said = values.tidy(text).lower()
    for sign in (*amounts.SYMBOLS, *(code.lower() for code in amounts.CODES), "$", "¥", "元"):
        said = said.replace(sign, " ")
    return said.strip()


def read_whole(cell: Any, hints: Hints) -> int | float:
    """A whole number."""
    found = read_number(cell, hints)
    return int(found) if found.is_integer() else found


def read_day(cell: Any, hints: Hints) -> str:
    """A day, in ISO 8601."""
    return days.day(read_text(cell, hints), hints).isoformat()


def read_moment(cell: Any, hints: Hints) -> str:
    """A time with its zone, in ISO 8601."""
    return days.moment(read_text(cell, hints), hints).isoformat()


def read_flag(cell: Any, hints: Hints) -> bool:
    """Yes or no."""
    return cell if isinstance(cell, bool) else values.flag(read_text(cell, hints), hints)


def read_choice(cell: Any, hints: Hints, known: Sequence[str], words: Mapping[str, Sequence[str]]) -> str:
    """One of the known values."""
    return values.choice(read_text(cell, hints), hints, known, words)


def read_list(cell: Any, hints: Hints) -> list[Any]:
    """A list: of JSON, or of a cell with separators. What our own JSON in a cell holds is not taken apart."""
    if isinstance(cell, list):
        return cell
    text = read_text(cell, hints)
    if text.startswith("["):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, list):
            return found
    return [hints.values.get(each, each) for each in values.parts(text, hints)]


def read_object(cell: Any, hints: Hints) -> Any:
    """What has parts of its own is JSON."""
    if isinstance(cell, dict):
        return cell
    try:
        return orjson.loads(read_text(cell, hints))
    except orjson.JSONDecodeError as error:
        raise Unclear("no-json", "this is to be JSON") from error


def read_country(cell: Any, hints: Hints) -> str:
    """A country's two letters."""
    return values.country(read_text(cell, hints), hints)


def read_currency(cell: Any, hints: Hints) -> str:
    """A currency's three letters."""
    return amounts.currency(read_text(cell, hints), hints)


def read_pay(cell: Any, hints: Hints) -> amounts.Pay:
    """Everything that a cell says about pay."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return amounts.Pay(float(cell), float(cell))
    return amounts.pay(read_text(cell, hints), hints)


KINDS: list[tuple[Any, str, Callable[[Any, Hints], Any]]] = [
    (shapes.Country, "country", read_country),
    (shapes.Currency, "currency", read_currency),
    (shapes.Money, "money", partial(read_number, money=True)),
    (shapes.Day, "day", read_day),
    (shapes.Moment, "moment", read_moment),
    (shapes.Line, "line", read_line),
    (shapes.Prose, "text", read_text),
    (shapes.Url, "url", read_url),
    (shapes.Id, "id", read_line),
]
PLAIN: dict[Any, tuple[str, Callable[[Any, Hints], Any]]] = {
    str: ("line", read_line),
    float: ("number", read_number),
    int: ("whole", read_whole),
    bool: ("flag", read_flag),
    date: ("day", read_day),
    datetime: ("moment", read_moment),
}


@dataclass(frozen=True)
class Assigned:
    """One column of a file, and the field that it fills."""

    column: int
    field: ImportField
    hints: Hints
    # What cells of this column were read as: the same words come again and again in a file.
    met: dict[str, Any] = dataclass_field(default_factory=dict, compare=False, repr=False)

    def value_of(self, cell: Any) -> Any:
        """The value of a cell, None where it means nothing. Raises `Unclear`."""
        if cell == [] and self.field.kind != "list":
            return None
        if not isinstance(cell, str) or len(cell) > LONGEST_MET:
            return self.field.read(cell, self.hints)
        if cell not in self.met:
            if len(self.met) >= MOST_MET:
                self.met.clear()
            self.met[cell] = self.meant(cell)
        return self.met[cell]

    def meant(self, cell: str) -> Any:
        """The value of a text; of one that is among the column's own words, what they mean, and None for nothing."""
        word = self.hints.values.get(cell.strip())
        if word == "" or (word is None and says_nothing(self.field, cell)):
            return None
        return self.field.read(cell if word is None or self.field.kind in ("choice", "list") else word, self.hints)


def read_row(
    resource: Resource[Any], assigned: Sequence[Assigned], constants: Mapping[str, Any], cells: Sequence[Any]
) -> tuple[dict[str, Any], list[Fault]]:
    """The data of a row, and every fault in it at its field. An empty cell says nothing about its field."""
    data: dict[str, Any] = dict(constants)
    faults: list[Fault] = []
    own, pay = set[str](), None
    for each in assigned:
        cell = cells[each.column] if each.column < len(cells) else ""
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            continue
        if isinstance(cell, str) and "\0" in cell:
            faults.append(Fault(f"/{each.field.name}", "holds-nul", "this holds a NUL character"))
            continue
        try:
            found = each.value_of(cell)
        except Unclear as unclear:
            faults.append(unclear.fault(f"/{each.field.name}"))
            continue
        if found is None:
            continue
        if isinstance(found, amounts.Pay):
            pay = found
        else:
            if each.field.name in own and each.field.kind == "line":
                found = values.whole_name(data[each.field.name], found)
            data[each.field.name] = found
            own.add(each.field.name)
    if pay:
        spread_pay(resource, pay, data, own)
    return data, faults


def says_nothing(field: ImportField, cell: str) -> bool:
    """Whether a cell says that there is no value, in a field whose values are no texts: `N/A` is not Namibia."""
    said = values.tidy(cell).lower()
    return field.kind not in TEXTS and said in NOTHING and said not in field.known


def spread_pay(resource: Resource[Any], found: amounts.Pay, data: dict[str, Any], own: Collection[str]) -> None:
    """Fill the fields that pay is told in. What a column of its own says goes before, and what all rows have behind."""
    said = (found.low, found.high, found.currency, found.period)
    for name, value in zip(resource.carry.pay or (), said, strict=True):
        if value is not None and name not in own:
            data[name] = value
