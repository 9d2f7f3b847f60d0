"""Planning: what somebody says on the command line about a file and its columns, as an import's options and plan."""

from collections.abc import Mapping, Sequence
from typing import Any

from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.importing.import_ import Import, Options
from guildhouse.kernel.importing.unpacking import header_of
from guildhouse.kernel.importing.values import words_of
from guildhouse.kernel.request import conform, values_of

ORDERS, DECIMALS = ("dmy", "mdy"), (".", ",")


def options_of(said: Sequence[str]) -> dict[str, Any]:
    """What the file is to be taken for: `encoding=big5`, `sheet=Jobs`, `header_line=3`."""
    given = dict(pair(each, "--read") for each in said)
    plain = {name: {"true": True, "false": False}.get(value, value) for name, value in given.items()}
    numbers = {name: int(value) for name, value in given.items() if name == "header_line" and value.isdecimal()}
    return values_of(conform(Options, {**plain, **numbers}), only_set=True)


def pair(text: str, option: str) -> tuple[str, str]:
    """`name=value` in two; the name may hold an `=` itself."""
    name, mark, value = text.rpartition("=") if option == "--column" else text.partition("=")
    if not mark or not name:
        raise NotDone(f"{option} takes name=value, not {text}.")
    return name, value


def columns_of(row: Import, said: Sequence[str]) -> list[Mapping[str, Any]]:
    """The columns of the plan that was suggested, with what was said of some: `Closing date=closes_on:dmy`."""
    plan = (row.plan or {}).get("columns", [])
    for each in said:
        name, rest = pair(each, "--column")
        field, _, hint = rest.partition(":")
        place = place_of(header_of(row.columns), name)
        plan = [other for other in plan if other["column"] != place and other["field"] != field]
        plan = [*plan, {"column": place, "field": field, **hint_of(hint)}] if field else plan
    return sorted(plan, key=lambda column: int(column["column"]))


def place_of(names: Sequence[str], name: str) -> int:
    """Where a column stands that is called so, or has this number, from 1. Raises `NotDone`."""
    alike = [words_of(each) for each in names]
    if words_of(name) in alike:
        return alike.index(words_of(name))
    if name.isdecimal() and 1 <= int(name) <= len(names):
        return int(name) - 1
    raise NotDone(f"The file has no column {name}. There are: {', '.join(names)}.")


def hint_of(hint: str) -> dict[str, str]:
    """The order of days, the mark before decimals, or the one between the parts of a list."""
    if hint in ORDERS:
        return {"order": hint}
    if hint in DECIMALS:
        return {"decimal": hint}
    return {"separator": hint} if hint else {}
