"""Filters: any text is a condition or a 400, and PostgreSQL reads every condition as Python would."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.app import HOUSE
from guildhouse.jobs.job import jobs
from guildhouse.kernel.db import Database
from guildhouse.kernel.errors import BadRequest, UnknownParameter
from guildhouse.kernel.filters import (
    Condition,
    WrongFilterValue,
    WrongOperator,
    condition,
    conditions,
    escape_like,
    operators,
    parse_name,
    values_known,
)
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import numbered
from tests.kernel.gadget import gadgets, lay_gadgets, row_of

COLUMNS = gadgets.find.filter
IDS = [f"019a9f3c-7c00-7000-8000-00000000000{n}" for n in range(10)]
RESERVED = frozenset({"limit"})


def one(name: str, value: str) -> Condition:
    """The condition of one parameter."""
    return conditions(gadgets, [(name, value)], RESERVED)[0]


def test_a_name_without_brackets_asks_for_equality() -> None:
    assert parse_name("weight") == ("weight", "eq")
    assert parse_name("weight[gte]") == ("weight", "gte")


def test_a_value_is_bound_and_never_part_of_the_statement() -> None:
    found = one("title", "x' OR 1=1 --")
    assert (found.sql, found.values) == ('"title" = ?', ("x' OR 1=1 --",))


def test_reserved_names_are_no_filters() -> None:
    assert conditions(gadgets, [("limit", "5")], RESERVED) == []


@pytest.mark.parametrize("name", ["secret", "note", "deleted_at", "scopes", "weight[", "weight[gte]x", "", "title;--"])
def test_what_is_not_declared_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(UnknownParameter) as caught:
        one(name, "1")
    assert "weight" in caught.value.detail() and "secret" not in str(caught.value.values["known"])


@pytest.mark.parametrize(
    ("name", "value"), [("status", "opn"), ("status[in]", "open,opn"), ("status[nin]", ""), ("workplace[ne]", "Remote")]
)
def test_a_value_that_no_row_can_have_is_refused_with_those_it_can(name: str, value: str) -> None:
    with pytest.raises(WrongFilterValue) as caught:
        conditions(jobs, [(name, value)], RESERVED)
    wanted = ", ".join(values_known(jobs, name.partition("[")[0]))
    assert caught.value.detail().endswith(f"it takes one of {wanted}.")


def test_a_value_that_rows_can_have_is_none_to_refuse() -> None:
    allowed = [
        ("status", "filled"),
        ("status[in]", "open,closed"),
        ("status[contains]", "op"),
        ("workplace[isnull]", "true"),
    ]
    assert len(conditions(jobs, [*allowed, ("city", "Atlantis")], RESERVED)) == 5


@pytest.mark.parametrize("resource", HOUSE.resources.values(), ids=list(HOUSE.resources))
def test_the_values_known_of_a_stage_are_its_stages(resource: Resource[Any]) -> None:
    if resource.stages:
        assert sorted(values_known(resource, resource.stages.column)) == sorted(resource.stages.names())


def test_values_are_known_from_the_tables_check_and_else_from_the_shapes() -> None:
    assert values_known(jobs, "workplace") == ("on_site", "hybrid", "remote")
    assert values_known(HOUSE.resources["people"], "role") and not values_known(jobs, "title")


def test_an_unknown_operator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WrongOperator) as caught:
        one("sold[gte]", "true")
    assert caught.value.values["known"] == "eq, ne, in, nin, isnull"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", "ten"),
        ("weight", "2147483648"),
        ("weight", "1.5"),
        ("weight", "\u0661"),
        ("views", "9" * 19),
        ("price", "nan"),
        ("price", "1e400"),
        ("price", "1_000"),
        ("price", "\u0663"),
        ("price", " 5"),
        ("price", ""),
        ("price", "."),
        ("sold", "yes"),
        ("made_on", "2026-13-01"),
        ("shown_at", "soon"),
        ("maker_id", "7"),
        ("weight[between]", "1"),
        ("weight[between]", "1,2,3"),
        ("weight[isnull]", "1"),
        ("shown_at[within]", "7 days"),
        ("weight[in]", ",".join(["1"] * 201)),
    ],
)
def test_a_value_of_another_type_is_refused_and_named(name: str, value: str) -> None:
    with pytest.raises(WrongFilterValue) as caught:
        one(name, value)
    assert str(caught.value.values["name"]).partition("[")[0] == name.partition("[")[0]


@given(st.text(), st.text())
def test_any_text_is_a_condition_or_a_400(name: str, value: str) -> None:
    try:
        found = conditions(gadgets, [(name, value)], RESERVED)
    except BadRequest:
        return
    assert name == "limit" or len(found) == 1


@given(st.sampled_from(COLUMNS), st.data())
def test_any_value_of_a_known_filter_is_a_condition_or_a_400(column: str, data: st.DataObject) -> None:
    operator = data.draw(st.sampled_from(operators(gadgets.columns[column].type)))
    value = data.draw(st.one_of(st.text(), st.from_regex(r"-?[0-9]{1,30}([.,:T-][0-9]{1,9}){0,6}Z?", fullmatch=True)))
    try:
        found = condition(gadgets.columns[column], operator, value)
    except BadRequest:
        return
    assert found.sql.count("?") == len(found.values)


@given(st.text())
def test_like_takes_escaped_text_literally(text: str) -> None:
    assert escape_like(text).replace(r"\%", "").replace(r"\_", "").replace(r"\\", "").count("%") == 0


VALUES = {
    "title": "Egg",
    "status": "draft",
    "weight": "120",
    "views": "3",
    "price": "9.90",
    "sold": "true",
    "maker_id": IDS[1],
    "made_on": "2026-11-20",
    "shown_at": "2026-11-20T08:00:00Z",
    "tags": "brass",
}


def value_for(column: str, operator: str) -> str:
    """A value that an operator of a column takes."""
    special = {"isnull": "false", "within": "52w", "between": f"{VALUES[column]},{VALUES[column]}"}
    return special.get(operator, VALUES[column])


@pytest.mark.anyio
async def test_postgresql_takes_every_operator_of_every_column(database: Database) -> None:
    async with database.reading() as connection:
        await lay_gadgets(connection)
        for column in COLUMNS:
            for operator in operators(gadgets.columns[column].type):
                found = condition(gadgets.columns[column], operator, value_for(column, operator))
                await connection.fetch(numbered(f"SELECT id FROM gadgets WHERE {found.sql}"), *found.values)


ROWS = [
    row_of(id=IDS[0], maker_id=IDS[1], title="Egg timer", weight=120, price=Decimal("9.90"), tags=["brass", "small"]),
    row_of(id=IDS[2], maker_id=IDS[1], title="egg cup", weight=None, sold=True, tags=["wood"]),
    row_of(id=IDS[3], maker_id=IDS[4], title="100%_pure", weight=7, made_on=date(2026, 11, 20), status="shown"),
    row_of(id=IDS[5], maker_id=IDS[4], title="Lamp", weight=500, shown_at=datetime(2026, 11, 20, 8, tzinfo=UTC)),
]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("weight", "120", [0]),
        ("weight[ne]", "120", [2, 3, 5]),
        ("weight[gt]", "7", [0, 5]),
        ("weight[gte]", "7", [0, 3, 5]),
        ("weight[lt]", "120", [3]),
        ("weight[lte]", "120", [0, 3]),
        ("weight[in]", "7,500", [3, 5]),
        ("weight[nin]", "7,500", [0, 2]),
        ("weight[isnull]", "true", [2]),
        ("weight[isnull]", "false", [0, 3, 5]),
        ("weight[between]", "7,120", [0, 3]),
        ("title[startswith]", "EGG", [0, 2]),
        ("title[contains]", "%_", [3]),
        ("status[in]", "shown,gone", [3]),
        ("sold", "true", [2]),
        ("sold[ne]", "true", [0, 3, 5]),
        ("price[gte]", "9.9", [0]),
        ("price[in]", "9.90,3", [0]),
        ("maker_id", IDS[4].upper(), [3, 5]),
        ("maker_id[nin]", IDS[4], [0, 2]),
        ("made_on", "2026-11-20", [3]),
        ("shown_at[gte]", "2026-11-20T16:00:00 08:00", [5]),
        ("shown_at[lt]", "2026-11-20T16:00:00+08:00", []),
        ("tags[contains]", "brass,small", [0]),
        ("tags[in]", "brass,wood", [0, 2]),
    ],
)
async def test_a_filter_finds_what_it_says(database: Database, name: str, value: str, expected: list[int]) -> None:
    async with database.reading() as connection:
        await lay_gadgets(connection, ROWS)
        found = one(name, value)
        sql = numbered(f"SELECT id FROM gadgets WHERE {found.sql} ORDER BY id")
        records: list[Any] = await connection.fetch(sql, *found.values)
    assert [record["id"] for record in records] == [IDS[n] for n in expected]
