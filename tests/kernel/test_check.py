"""Boot checks: each finds its fault, a sound house has none, and all faults are told at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import Field
from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse import app
from guildhouse.kernel.check import (
    CHECKS,
    DATABASE_CHECKS,
    HOUSE_CHECKS,
    BootError,
    database_faults,
    faults,
    meaning,
    raise_all,
)
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Database
from guildhouse.kernel.manifest import House, Manifest
from guildhouse.kernel.may import nobody, signed_in
from guildhouse.kernel.resource import Carry, Find, Keep, Log, May, Measure, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.shapes import ReadShape, Shape
from guildhouse.kernel.stages import Stages
from guildhouse.kernel.tasks import Task, Work
from tests.kernel.gadget import Create, Gadget, Read, Update, apart, gadgets, house, lay_gadgets, makers, show


class Bare(Row):  # says nothing of itself, on purpose
    __tablename__ = "bares"

    name: Mapped[str]
    stage: Mapped[str] = mapped_column(default="new")

    __table_args__ = (CheckConstraint("stage IN ('new', 'old', 'lost')", name="stage"),)


apart(Bare)


def another_gadget() -> type[Row]:
    """A row in another table that has the name of ours."""

    class Gadget(Row):
        """Another gadget."""

        __tablename__ = "twins"

        __table_args__ = (Index("ix_twins_scopes", "scopes", postgresql_using="gin"),)

    apart(Gadget)
    return Gadget


class Spot(Row):
    """Something on the map, which nobody finds quickly there."""

    __tablename__ = "spots"

    name: Mapped[str]
    north: Mapped[float | None]
    east: Mapped[float | None]

    __table_args__ = (
        Index("ix_spots_east_north", "east", "north"),
        Index("ix_spots_created_at_id", "created_at", "id"),
        Index("ix_spots_scopes", "scopes", postgresql_using="gin"),
    )


apart(Spot)


class ReadBare(ReadShape):
    """A bare thing."""

    name: str


class Wider(Read):
    """A gadget with more than its table has."""

    colour: str


class Exposed(Read):
    """A gadget with what no log may hold."""

    secret: str | None


class Blunt(Read):
    """A gadget whose note is never null."""

    note: str


class Lossy(Create):
    """A body with a field that nothing takes."""

    colour: str = Field(default="red")


class Forged(Update):
    """A body that says who sees the row."""

    scopes: list[str] = Field(default=[])


class Scant(Shape):
    """A body that leaves out what a row must have."""

    title: str


twins = Resource(table=another_gadget(), shapes=Shapes(read=ReadShape), scopes=lambda _row: [])
bares = Resource(table=Bare, shapes=Shapes(read=ReadBare), scopes=lambda _row: [])

spots = Resource(
    table=Spot,
    shapes=Shapes(read=ReadBare),
    scopes=lambda _row: [],
    find=Find(sort=("created_at",), place=("north", "east")),
)


def well(**changed: Any) -> Resource[Any]:
    """The same, found by the columns that have an index."""
    return replace(spots, find=replace(spots.find, place=("east", "north"), **changed))


async def undo(ctx: Context, row: Gadget) -> Gadget:
    """A verb where there is a door."""
    return row


async def paint(ctx: Context, row: Gadget, body: dict[str, Any]) -> Gadget:
    """A verb whose body has no shape."""
    return row


async def run(work: Work) -> None:
    """Do nothing."""


def with_gadgets(**changed: Any) -> House:
    """The small house with another declaration of its gadgets."""
    return House((Manifest("test", resources=(makers, replace(gadgets, **changed)), verbs=house.domains[0].verbs),))


def with_more(**added: Any) -> House:
    """The small house with more in it."""
    verbs = (*house.domains[0].verbs, *added.pop("verbs", ()))
    resources = (makers, gadgets, *added.pop("resources", ()))
    return House((Manifest("test", resources=resources, verbs=verbs, **added),))


def shapes(**changed: Any) -> Shapes:
    return replace(gadgets.shapes, **changed)


def find(**changed: Any) -> Find:
    return replace(gadgets.find, **changed)


def stages(**moves: dict[str, Any]) -> Stages:
    return Stages("status", ("draft",), moves)


WORTH = {"worth": Measure("price", "shown_at", float, "1")}
TASK = Task("paint-it", run, on=("gizmo.created",))
BROKEN: Sequence[tuple[str, str, Callable[[], House]]] = [
    ("G001", "resources are called `gadgets`", lambda: with_more(resources=(gadgets,))),
    ("G001", "nouns are called `gadget`", lambda: with_more(resources=(twins,))),
    ("G001", "verbs are called `gadgets/show`", lambda: with_more(verbs=(Verb(gadgets, show, nobody),))),
    ("G001", "tasks are called `paint-it`", lambda: with_more(tasks=(TASK, TASK))),
    ("G002", "`undo`", lambda: with_more(verbs=(Verb(gadgets, undo, nobody),))),
    ("G003", "`show` is on bares", lambda: with_more(verbs=(Verb(bares, show, nobody),))),
    ("G004", "waits for `gizmo.created`", lambda: with_more(tasks=(TASK,))),
    ("G101", "`colour`", lambda: with_gadgets(shapes=shapes(read=Wider))),
    ("G102", "`colour`", lambda: with_gadgets(shapes=shapes(create=Lossy))),
    ("G103", "`scopes`", lambda: with_gadgets(shapes=shapes(update=Forged))),
    ("G104", "`maker_id`", lambda: with_gadgets(shapes=shapes(create=Scant))),
    ("G105", "`shapes.create` is missing", lambda: with_gadgets(shapes=shapes(create=None))),
    ("G105", "`shapes.update` is for nobody", lambda: with_gadgets(may=May(create=signed_in))),
    ("G106", "`note`", lambda: with_gadgets(shapes=shapes(read=Blunt))),
    ("G106", "`colour`", lambda: with_gadgets(shapes=shapes(audience={"colour": lambda _row: []}))),
    ("G107", "`scopes`", lambda: with_gadgets(scopes=None)),
    ("G108", "`scopes`", lambda: with_more(resources=(bares,))),
    ("G109", "`Bare` says nothing", lambda: with_more(resources=(bares,))),
    ("G110", "`paint`", lambda: with_more(verbs=(Verb(gadgets, paint, nobody),))),
    ("G201", "`colour`", lambda: with_gadgets(find=find(filter=("colour",)))),
    ("G202", "`note`", lambda: with_gadgets(find=find(filter=("note",)), shapes=shapes(audience={}))),
    ("G202", "`scopes`", lambda: with_more(resources=(replace(bares, find=Find(filter=("scopes",), default="id")),))),
    ("G203", "`note`", lambda: with_gadgets(find=find(sort=("created_at", "note")))),
    ("G203", "`secret`", lambda: with_gadgets(find=find(text={"secret": "A"}))),
    ("G204", "`-price`", lambda: with_gadgets(find=find(default="-price"))),
    ("G205", "`maker` leads to `people`", lambda: with_gadgets(find=find(expand={"maker": "people"}))),
    ("G205", "`title` leads to `makers`", lambda: with_gadgets(find=find(expand={"title": "makers"}))),
    ("G208", "`price`", lambda: with_gadgets(find=find(text={"title": "A"}, facets={"price": ()}))),
    ("G208", "`price`", lambda: with_gadgets(find=find(text={"title": "A"}, facets={"price": (2.0, 1.0)}))),
    ("G208", "`title`", lambda: with_gadgets(find=find(facets={"title": ()}))),
    ("G209", "`title=big` is in `find`", lambda: with_gadgets(find=find(words={"title": {"big": ("large",)}}))),
    ("G209", "`note=big` is in `find`", lambda: with_gadgets(find=find(words={"note": {"big": ("large",)}}))),
    ("G203", "`note` is in `find`", lambda: with_gadgets(find=find(everywhere=("note", "remote")))),
    ("G203", "`east` is in `find`", lambda: with_more(resources=(replace(well(), log=Log(hidden=("east",))),))),
    ("G206", "`('views', 'weight')`", lambda: with_gadgets(find=find(place=("views", "weight")))),
    ("G206", "`('x', 'y')`", lambda: with_gadgets(find=find(place=("x", "y")))),
    ("G206", "`title`", lambda: with_gadgets(find=find(everywhere=("title", "remote")))),
    ("G206", "has no index", lambda: with_more(resources=(spots,))),
    ("G206", "`name`", lambda: with_more(resources=(well(everywhere=("name", "remote")),))),
    ("G207", "`shown_at` is an end of `worth`", lambda: with_gadgets(find=find(filter=("price",), measures=WORTH))),
    ("G301", "`colour`", lambda: with_gadgets(log=Log(personal=("colour",)))),
    ("G302", "`secret`", lambda: with_gadgets(shapes=shapes(read=Exposed))),
    ("G401", "`state`", lambda: with_gadgets(stages=Stages("state", ("draft",), {}))),
    ("G402", "`gone`", lambda: with_gadgets(stages=stages(draft={"shown": nobody}, gone={"draft": nobody}))),
    ("G403", "`status`", lambda: with_gadgets(stages=stages(draft={"shown": nobody}))),
    (
        "G403",
        "`stage`",
        lambda: with_more(resources=(replace(bares, stages=Stages("stage", ("new",), {"new": {"old": nobody}})),)),
    ),
    ("G404", "`status`", lambda: with_gadgets(keep=Keep(total_days=1, since="status"))),
    ("G404", "`closed_at`", lambda: with_gadgets(keep=Keep(total_days=1, since="closed_at"))),
    ("G404", "`updated_at`", lambda: with_gadgets(keep=Keep(total_days=1, since="updated_at"))),
    ("G501", "(title)", lambda: with_gadgets(carry=Carry(key=("title",)))),
    ("G502", "`colour`", lambda: with_gadgets(carry=Carry(key=("maker_id", "title"), columns=("colour",)))),
    ("G502", "`hue`", lambda: with_gadgets(carry=Carry(kinds={"hue": "phone"}))),
    ("G503", "lower(title)", lambda: with_gadgets(carry=Carry(alike=(("title", "maker_id"),)))),
]


@pytest.mark.parametrize("whose", [house, app.HOUSE], ids=["small", "whole"])
def test_a_sound_house_has_no_faults(whose: House) -> None:
    raise_all(whose)


@pytest.mark.parametrize(("number", "what", "build"), BROKEN, ids=[f"{each[0]}-{each[1]}" for each in BROKEN])
def test_each_check_finds_its_fault(number: str, what: str, build: Callable[[], House]) -> None:
    found = [fault for fault in faults(build()) if fault.number == number]
    assert any(what in fault.what for fault in found), found


def test_every_check_is_tried() -> None:
    assert {number for number, _, _ in BROKEN} == {*HOUSE_CHECKS, *CHECKS}


def test_all_faults_are_told_at_once_with_what_to_do() -> None:
    broken = with_gadgets(find=find(filter=("colour",)), log=Log(hidden=("size",)), shapes=shapes(read=Wider))
    with pytest.raises(BootError) as caught:
        raise_all(broken)
    assert [fault.number for fault in caught.value.faults] == ["G101", "G201", "G301"]
    for number in ("G101", "G201", "G301"):
        assert f"{number} gadgets: `" in str(caught.value) and meaning(number) in str(caught.value)


@pytest.mark.parametrize("number", [*HOUSE_CHECKS, *CHECKS, *DATABASE_CHECKS])
def test_every_number_says_what_is_wrong_and_what_to_do(number: str) -> None:
    assert meaning(number).count(".") >= 2 and meaning(number).endswith(".")


pytestmark = pytest.mark.anyio


async def test_a_database_that_is_as_declared_has_no_faults(database: Database) -> None:
    async with database.reading() as connection:
        await lay_gadgets(connection)
        assert await database_faults(connection, house) == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DROP TABLE gadgets", ("G601", "`gadgets.title` is missing")),
        ("ALTER TABLE gadgets DROP COLUMN weight", ("G601", "`gadgets.weight` is missing")),
        ("DROP INDEX ix_gadgets_status", ("G602", "`ix_gadgets_status` of gadgets is missing")),
        (
            "ALTER TABLE gadgets DROP CONSTRAINT ck_gadgets_status",
            ("G602", "`ck_gadgets_status` of gadgets is missing"),
        ),
        (
            "ALTER TABLE gadgets DROP CONSTRAINT fk_gadgets_maker_id",
            ("G602", "`fk_gadgets_maker_id` of gadgets is missing"),
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_gadgets_views'::regclass",
            ("G602", "`ix_gadgets_views` of gadgets is missing"),
        ),
        ("ALTER TABLE gadgets DISABLE TRIGGER guildhouse_log", ("G603", "its log trigger was switched off")),
        ("DROP TRIGGER guildhouse_log ON makers", ("G603", "makers: its writes are not logged")),
        ("ALTER TABLE makers DISABLE TRIGGER guildhouse_held", ("G604", "makers")),
        ("DROP TRIGGER guildhouse_held ON gadgets", ("G604", "gadgets")),
    ],
)
async def test_what_the_database_lacks_is_found(database: Database, statement: str, fault: tuple[str, str]) -> None:
    async with database.reading() as connection:
        await lay_gadgets(connection)
        await connection.execute(statement)
        found = await database_faults(connection, house)
    assert any(each.number == fault[0] and fault[1] in each.what for each in found), found


async def test_the_migrated_database_is_as_declared(dsn: str) -> None:
    opened = await Database.open(dsn)
    async with opened.reading() as connection:
        assert await database_faults(connection, app.HOUSE) == []
    await opened.close()
