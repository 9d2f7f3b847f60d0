"""Erase me: the account is gone, what lived by it too, and the log has forgotten every value and still verifies."""

from typing import Any

import pytest

from guildhouse.accounts.person import Person, people
from guildhouse.accounts.secrets import hash_password
from guildhouse.kernel import store
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.log.audit import verify
from guildhouse.kernel.log.sequencer import stamp
from tests.cast import Caller, Cast
from tests.jobs.openings import posted, tracked
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio
PHONE, LETTER = "+886 2 5550 1234", "Dear engineers of the analytical engine"


def farewell(who: Caller, **more: str) -> dict[str, str]:
    return {"email": f"{who.name.lower()}@example.org", **more}


async def rows_of(cast: Cast, who: Caller) -> dict[str, int]:
    """How many rows still name a person, by table and column."""
    found = {}
    for resource in cast.server.house.resources.values():
        for column in resource.columns:
            sql = f'SELECT count(*) FROM "{resource.name}" WHERE "{column}"::text = $1'
            if count := await cast.server.database.pool.fetchval(sql, who.id):
                found[f"{resource.name}.{column}"] = count
    return found


async def values_in_log(cast: Cast, text: str) -> int:
    sql = "SELECT count(*) FROM changes WHERE strpos(concat(before::text, after::text), $1) > 0"
    return int(await cast.server.database.pool.fetchval(sql, text))


async def test_a_person_and_all_that_is_theirs_is_gone(lone_cast: Cast) -> None:
    cast = lone_cast  # its log holds nothing of other tests
    job = await posted(cast, await approved(cast))
    await cast.cleo.patch(f"/v1/people/{cast.cleo.id}", {"phone": PHONE, "about": "I build engines"})
    application = await cast.cleo.made("/v1/applications", {"job_id": job["id"]})
    await cast.cleo.patch(f"/v1/applications/{application['id']}", {"cover_letter": LETTER})
    await tracked(cast.cleo, title="A secret hope")
    await cast.cleo.made("/v1/reminders", {"text": "Call them", "due_at": "2030-01-01T08:00:00Z"})
    assert await values_in_log(cast, PHONE) == 1
    assert (await cast.cleo.post(f"/v1/people/{cast.cleo.id}/erase", farewell(cast.cleo))).status_code == 204
    assert await rows_of(cast, cast.cleo) == {}
    for text in (PHONE, "cleo@example.org", LETTER, "A secret hope", "Call them", "I build engines"):
        assert await values_in_log(cast, text) == 0, text
    assert (await cast.cleo.get("/v1/jobs")).status_code == 401
    assert (await cast.otto.get(f"/v1/people/{cast.cleo.id}")).status_code == 404
    assert (await cast.ada.get(f"/v1/jobs/{job['id']}")).status_code == 200


async def test_the_log_still_verifies_and_says_that_something_was_erased(lone_cast: Cast) -> None:
    await lone_cast.cleo.patch(f"/v1/people/{lone_cast.cleo.id}", {"phone": PHONE})
    await lone_cast.cleo.post(f"/v1/people/{lone_cast.cleo.id}/erase", farewell(lone_cast.cleo))
    connection = await lone_cast.server.database.dedicated()
    try:
        await stamp(connection)
        report = await verify(connection)
    finally:
        await connection.close()
    assert report.whole, report.fault
    sql = "SELECT verb FROM changes WHERE row_id = $1 ORDER BY seq"
    verbs = [each["verb"] for each in await lone_cast.server.database.pool.fetch(sql, lone_cast.cleo.id)]
    assert verbs == ["created", "changed", "erased", "forgotten"]


async def test_what_was_answered_lately_is_not_kept_for_a_retry(cast: Cast) -> None:
    await cast.cleo.patch(f"/v1/people/{cast.cleo.id}", {"phone": PHONE}, idempotency_key="k")
    await cast.ada.made("/v1/reminders", {"text": "T", "due_at": "2030-01-01T08:00:00Z"}, idempotency_key="k")
    await cast.cleo.post(f"/v1/people/{cast.cleo.id}/erase", farewell(cast.cleo))
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM idempotency_keys") == 1


async def test_an_invitation_to_their_address_goes_along(lone_cast: Cast) -> None:
    cast = lone_cast  # its log holds nothing of other tests
    organization = await approved(cast)
    values = {"organization_id": organization["id"], "email": "cleo@example.org", "role": "recruiter"}
    await cast.ada.made("/v1/invitations", values)
    await cast.cleo.post(f"/v1/people/{cast.cleo.id}/erase", farewell(cast.cleo))
    assert (await cast.ada.get("/v1/invitations")).json()["data"] == []
    assert await values_in_log(cast, "cleo@example.org") == 0


async def test_a_dry_run_says_what_would_go_and_nothing_goes(cast: Cast) -> None:
    await tracked(cast.cleo)
    path = f"/v1/people/{cast.cleo.id}/erase"
    would = (await cast.cleo.post(path, farewell(cast.cleo), prefer="tx=rollback")).json()
    assert would["status"] == 204
    events = {each["event"] for each in would["changes"]}
    assert events == {f"{noun}.{verb}" for noun in ("person", "session", "job") for verb in ("erased", "forgotten")}
    assert (await cast.cleo.get(f"/v1/people/{cast.cleo.id}")).status_code == 200


@pytest.mark.parametrize(
    ("who", "body", "expected"),
    [
        ("ben", {"email": "cleo@example.org"}, (403, "denied")),
        ("nobody", {"email": "cleo@example.org"}, (401, "unauthenticated")),
        ("cleo", {"email": "ada@example.org"}, (422, "another-account")),
        ("cleo", {}, (422, "invalid")),
        ("cleo", None, (400, "malformed")),
    ],
)
async def test_who_may_not_or_errs_erases_nothing(cast: Cast, who: str, body: Any, expected: tuple[int, str]) -> None:
    response = await getattr(cast, who).post(f"/v1/people/{cast.cleo.id}/erase", body)
    assert response.status_code == expected[0], response.text
    assert (await cast.cleo.get(f"/v1/people/{cast.cleo.id}")).status_code == 200


async def test_who_has_a_password_says_it(cast: Cast) -> None:
    async with cast.server.database.writing(Note()) as connection:
        ctx = Context(cast.server.house, connection, HOUSE, Note())
        record = await connection.fetchrow("SELECT * FROM people WHERE id = $1", cast.cleo.id)
        hashed = {"password_hash": await hash_password("correct horse battery staple")}
        await store.change(ctx, people, Person.of(record), hashed, verb="password_changed")
    path = f"/v1/people/{cast.cleo.id}/erase"
    for wrong in ({}, {"password": "not this one"}):
        assert refusal(await cast.cleo.post(path, farewell(cast.cleo, **wrong))) == (403, "wrong-password")
    right = farewell(cast.cleo, password="correct horse battery staple")
    assert (await cast.cleo.post(path, right)).status_code == 204


async def test_an_admin_erases_others_but_not_the_last_admin(cast: Cast) -> None:
    assert (await cast.otto.post(f"/v1/people/{cast.ben.id}/erase", farewell(cast.ben))).status_code == 204
    last = await cast.otto.post(f"/v1/people/{cast.otto.id}/erase", farewell(cast.otto))
    assert refusal(last) == (409, "last-admin")
