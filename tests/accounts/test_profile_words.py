"""A profile's words: what is found in them is seen by nobody who does not see all of them."""

from asyncio import sleep, timeout

import pytest

from guildhouse.accounts.person import Person, found_in, sees_all_words
from guildhouse.kernel.db import Note
from guildhouse.kernel.scopes import MEMBERS, PUBLIC
from tests.accounts.test_person import me
from tests.cast import Cast
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio


def person(audience: dict[str, str], **words: object) -> Person:
    return Person.of({"id": "1", "headline": None, "about": None, "skills": [], **words, "audience": audience})


@pytest.mark.parametrize(
    ("audience", "words", "scopes"),
    [
        ({}, {"headline": "SQL"}, {"person:1", MEMBERS}),
        ({"about": "me"}, {"headline": "SQL", "about": "Go developer"}, {"person:1"}),
        ({"about": "me"}, {"headline": "SQL"}, {"person:1", MEMBERS}),
        ({"about": "coaches", "skills": "public"}, {"about": "x", "skills": ["sql"]}, {"person:1", "coaches"}),
        (
            {"headline": "public", "skills": "public"},
            {"headline": "x", "skills": ["sql"]},
            {"person:1", MEMBERS, PUBLIC},
        ),
        ({"headline": "public"}, {}, {"person:1"}),
    ],
)
def test_the_narrowest_of_the_words_decides(
    audience: dict[str, str], words: dict[str, object], scopes: set[str]
) -> None:
    assert set(sees_all_words(person(audience, **words))) == scopes


def test_all_words_of_a_profile_are_read() -> None:
    row = person({}, headline="護理師", about="I like Kubernetes.", skills=["sql", "juggling"])
    assert found_in(row) == {"found_skills": ["SQL", "Nursing", "Kubernetes"]}


async def test_a_profile_says_what_its_words_speak_of(cast: Cast) -> None:
    row = (await cast.ada.get(me(cast.ada))).json()
    assert row["found_skills"] == []
    row = (await cast.ada.patch(me(cast.ada), {"headline": "Python developer", "skills": ["k8s"]})).json()
    assert row["found_skills"] == ["Kubernetes", "Python"]
    assert (await cast.cleo.get(me(cast.ada))).json()["found_skills"] == ["Kubernetes", "Python"]


async def test_what_about_keeps_to_oneself_is_told_nowhere(cast: Cast) -> None:
    change = {"headline": "SQL", "about": "I know Haskell", "audience": {"about": "me"}}
    mine = (await cast.ada.patch(me(cast.ada), change)).json()
    assert mine["found_skills"] == ["SQL", "Haskell"]
    for caller in (cast.cleo, cast.otto):
        row = (await caller.get(me(cast.ada))).json()
        assert (row["headline"], row["about"], row["found_skills"]) == ("SQL", None, None)
    told = (await cast.otto.get(f"{me(cast.ada)}/history")).text
    assert "Haskell" not in told and "SQL" in told
    listed = await cast.otto.client.get("/v1/people?format=csv")
    assert "Haskell" not in listed.text


async def test_an_audience_that_grows_narrower_takes_what_was_found_with_it(cast: Cast) -> None:
    await cast.ada.patch(me(cast.ada), {"about": "I know Haskell"})
    assert (await cast.cleo.get(me(cast.ada))).json()["found_skills"] == ["Haskell"]
    row = (await cast.ada.patch(me(cast.ada), {"audience": {"about": "me"}})).json()
    assert row["found_skills"] == ["Haskell"]
    assert (await cast.cleo.get(me(cast.ada))).json()["found_skills"] is None


async def test_what_was_found_is_no_filter_and_no_field_of_ones_own(cast: Cast) -> None:
    assert (await cast.cleo.get("/v1/people?found_skills[contains]=Haskell")).status_code == 400
    assert refusal(await cast.ada.patch(me(cast.ada), {"found_skills": ["Haskell"]})) == (400, "unknown-fields")
    assert refusal(await cast.ada.patch(me(cast.ada), {"audience": {"found_skills": "public"}})) == (422, "invalid")


async def test_a_profile_that_nobody_has_read_is_read_by_the_reader(cast: Cast) -> None:
    await cast.ada.patch(me(cast.ada), {"about": "I know Haskell", "audience": {"about": "coaches"}})
    async with cast.server.database.writing(Note()) as connection:
        sql = "UPDATE people SET found_skills = NULL, version = version + 1 WHERE id = $1"
        await connection.execute(sql, cast.ada.id)
    async with timeout(10):
        while (await cast.ada.get(me(cast.ada))).json()["found_skills"] is None:  # noqa: ASYNC110
            await sleep(0.01)
    assert (await cast.ada.get(me(cast.ada))).json()["found_skills"] == ["Haskell"]
    assert (await cast.cleo.get(me(cast.ada))).json()["found_skills"] is None
    told = (await cast.ada.get(f"{me(cast.ada)}/history")).json()["data"][0]
    assert told["event"] == "person.words_read" and list(told["changes"]) == ["found_skills"]
