"""Values: what people write in cells, as the values of a field. Numbers and money are in `amounts.py`, days in `days.py`."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import orjson

from guildhouse.kernel.errors import Fault
from guildhouse.kernel.formats import RUN

Order = Literal["dmy", "mdy"]


@dataclass(frozen=True, slots=True)
class Hints:
    """How a column is to be read: what it answers where a value could mean two things, and its own words."""

    order: Order | None = None
    decimal: Literal[".", ","] | None = None
    separator: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"


class Unclear(ValueError):
    """A cell that is no value of its field, or one of several. `fault` tells which, at the field's place."""

    def __init__(self, code: str, detail: str, **values: object) -> None:
        self.code, self.detail, self.values = code, detail, values
        super().__init__(code)

    def fault(self, pointer: str) -> Fault:
        """The fault, at this place."""
        return Fault(pointer, self.code, self.detail.format_map(self.values), self.values)


def tidy(text: str) -> str:
    """The text with full-width forms made narrow and white space made single; for all but prose."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def words_of(text: str) -> str:
    """The text as it is compared with names: without case, spaces and punctuation."""
    return "".join(each for each in unicodedata.normalize("NFKC", text).casefold() if each.isalnum())


YES = frozenset(map(words_of, ("yes", "y", "true", "1", "x", "ja", "oui", "是", "有", "✓", "v")))
NO = frozenset(map(words_of, ("no", "n", "false", "0", "nein", "non", "否", "無", "没有", "沒有")))


def flag(text: str, _hints: Hints) -> bool:
    """Yes or no."""
    said = words_of(text)
    if said in YES:
        return True
    if said in NO:
        return False
    raise Unclear("no-flag", "write yes or no")


def choice(text: str, hints: Hints, known: Sequence[str], words: Mapping[str, Sequence[str]]) -> str:
    """One of the known values: by its name, by one of its words, or by what the mapping says it means."""
    if text in hints.values:
        return hints.values[text]
    said = words_of(text)
    for value in known:
        if said == words_of(value) or any(said == words_of(word) for word in words.get(value, ())):
            return value
    raise Unclear("unknown-choice", "write one of {known}, or say in `values` what this means", known=", ".join(known))


@cache
def country_names() -> Mapping[str, str]:
    """The code of every country by its names, in English and Chinese, without case and punctuation."""
    table = orjson.loads(files("guildhouse.kernel.importing").joinpath("countries.json").read_bytes())
    return {country_mark(name): code for code, names in table.items() for name in (code, *names)}


def country_mark(text: str) -> str:
    """The name of a country as it is compared: `Trinidad & Tobago`, `Réunion` and `St. Lucia` are written in two ways."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return words_of(re.sub(r"\bsaint\b", "st", plain.replace("&", " and "), flags=re.IGNORECASE))


def country(text: str, _hints: Hints) -> str:
    """A country by its code or its name."""
    found = country_names().get(country_mark(text))
    if found is None:
        raise Unclear("unknown-country", "write the name or the two letters of a country")
    return found


def parts(text: str, hints: Hints) -> list[str]:
    """The parts of a list in one cell. A part between quotation marks may hold the separator."""
    separator = hints.separator or next((each for each in (";", "；", "|", "\n", "、") if each in text), ",")
    found = re.findall(rf'\s*(?:"((?:[^"]|"")*)"|([^{re.escape(separator)}]*))\s*(?:{re.escape(separator)}|$)', text)
    said = [(quoted.replace('""', '"') if quoted else bare).strip() for quoted, bare in found]
    return list(dict.fromkeys(each for each in said if each))


def whole_name(first: str | None, last: str | None) -> str:
    """Both names as people write them: a Chinese, Japanese or Korean family name stands first, without a space."""
    both = [each.strip() for each in (first, last) if each and each.strip()]
    if both and all(ord(sign) >= 0x2E80 for each in both for sign in each):
        return "".join(reversed(both))
    return " ".join(both)


Interpret = Callable[[str, Hints], Any]


def text_of(cell: str) -> str:
    """The text of a cell: of `="007"`, and of the apostrophe that an export puts before a formula, what is meant."""
    if match := re.fullmatch(r'="((?:[^"]|"")*)"', cell):
        return match[1].replace('""', '"')
    return cell[1:] if cell[:1] == "'" and RUN.match(cell, 1) else cell
