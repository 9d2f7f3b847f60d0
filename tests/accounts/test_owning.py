"""Owning: erasing and take-outs mean the same rows, of every noun."""

import pytest

from guildhouse.accounts.leaving.owning import owned
from guildhouse.accounts.person import people
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.select import numbered
from tests.accounts.test_takeout import lived
from tests.cast import Caller, Cast
from tests.contracts.samples import packed
from tests.organizations.scenes import approved

pytestmark = pytest.mark.anyio


async def test_what_erasing_takes_away_is_what_is_a_persons_own(cast: Cast) -> None:
    await lived(cast)
    await packed(cast.cleo, (await cast.cleo.made("/v1/takeouts", {}))["id"])
    await cast.cleo.made("/v1/api-keys", {"name": "k"})
    server = cast.server
    async with server.database.reading() as connection:
        cleo = await Context(server.house, connection, HOUSE, Note()).find(people, cast.cleo.id)
        assert cleo
        own = set()
        for resource in server.house.resources.values():
            if (mine := owned(server.house, resource, cleo)) is not None:
                sql = numbered(f'SELECT id FROM "{resource.name}" WHERE {mine.sql}')
                own |= {record["id"] for record in await connection.fetch(sql, *mine.values)}
    assert own == await would_go(cast.otto, cast.cleo) and len(own) > 10


async def would_go(who: Caller, person: Caller) -> set[str]:
    """What would be erased with an account, as somebody is told."""
    path, farewell = f"/v1/people/{person.id}/erase", {"email": f"{person.name.lower()}@example.org"}
    changes = (await who.post(path, farewell, prefer="tx=rollback")).json()["changes"]
    gone = {each["id"] for each in changes if each["event"].endswith(".erased")}
    assert {each["id"] for each in changes if each["event"].endswith(".forgotten")} <= gone
    return gone


async def test_that_a_team_knows_somebody_by_their_address_is_not_told_by_what_would_go(cast: Cast) -> None:
    organization = await approved(cast)
    values = {"organization_id": organization["id"], "name": "Cleo", "email": "cleo@example.org"}
    known = await cast.ada.made("/v1/candidates", values)
    assert known["id"] in await would_go(cast.otto, cast.cleo) and known["id"] not in await would_go(
        cast.cleo, cast.cleo
    )


async def test_what_a_team_has_noted_goes_too_and_its_person_does_not_learn_of_it(cast: Cast) -> None:
    application = await lived(cast)
    notes = (await cast.ada.get(f"/v1/notes?application_id={application['id']}&audience[in]=team,private")).json()[
        "data"
    ]
    everything, told = await would_go(cast.otto, cast.cleo), await would_go(cast.cleo, cast.cleo)
    assert everything - told == {each["id"] for each in notes} and len(notes) == 2


async def test_nouns_that_are_nobodys_are_in_neither(cast: Cast) -> None:
    async with cast.server.database.reading() as connection:
        record = await connection.fetchrow('SELECT * FROM "people" WHERE id = $1', cast.cleo.id)
    cleo, house = people.table.of(record or {}), cast.server.house
    assert {name for name, each in house.resources.items() if owned(house, each, cleo) is None} == {
        "backups", "holds", "organizations", "retained_files", "stages",
    }  # fmt: skip
