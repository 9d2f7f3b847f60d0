"""A list of members: an admin brings in who they are, and they themselves say who may see it."""

import pytest

from tests.cast import Cast
from tests.kernel.importing.intake import judged, rows, told, told_to
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio
MINA = {"email": "mina@example.org", "name": "Mina Harker", "headline": "Schoolmistress", "phone": "020 7946 0000"}
MEMBERS = """姓名,電子郵件,職稱,居住地,國家,技能,連結,密碼,Password
林美玲,meiling@example.org,護理師,臺北,台灣,護理、急救,https://lin.example.org; https://b.example.org,,a password of 20 signs
Ada,{ada},Countess,,,,,,
Nobody,no address,,,,,,,
"""


async def test_only_an_admin_brings_others_in_without_a_password(cast: Cast) -> None:
    moderator = await cast.join("Mona", "moderator")
    for caller in (cast.nobody, cast.ada, moderator):
        refused = await caller.post("/v1/people", MINA)
        assert refusal(refused) == (422, "invalid")
        assert [(each["pointer"], each["code"]) for each in refused.json()["errors"]] == [("/password", "required")]
    assert (await cast.otto.post("/v1/people", MINA)).status_code == 201


async def test_whoever_registers_may_say_more_of_themselves_and_is_listed(cast: Cast) -> None:
    made = await cast.nobody.made("/v1/people", {**MINA, "password": "a password of 20 signs"})
    assert made["listed"] is True
    assert (await cast.cleo.get(f"/v1/people/{made['id']}")).json()["headline"] == "Schoolmistress"


async def test_who_was_brought_in_is_seen_by_nobody_but_the_staff_until_they_say_so(cast: Cast) -> None:
    made = await cast.otto.made("/v1/people", MINA)
    address = f"/v1/people/{made['id']}"
    assert (await cast.cleo.get(address)).status_code == 404
    seen = (await cast.otto.get(address)).json()
    assert [seen[name] for name in ("headline", "listed", "email", "phone")] == ["Schoolmistress", False, None, None]
    assert refusal(await cast.otto.patch(address, {"listed": True})) == (403, "denied")
    token = (await cast.otto.made(f"{address}/welcome", {}))["token"]
    claimed = await cast.nobody.post("/v1/people:claim", {"token": token, "password": "a password of 20 signs"})
    assert claimed.status_code == 204
    session = await cast.nobody.made("/v1/sessions", {"email": MINA["email"], "password": "a password of 20 signs"})
    headers = {"authorization": f"Bearer {session['access_token']}"}
    listed = await cast.nobody.client.patch(address, json={"listed": True}, headers=headers)
    assert listed.status_code == 200, listed.text
    assert (await cast.cleo.get(address)).json()["headline"] == "Schoolmistress"


async def test_a_list_of_members_comes_in_with_what_it_says_of_each_but_no_secrets(idle: Cast) -> None:
    table = MEMBERS.format(ada="ada@example.org")
    row = await judged(idle, idle.otto, table, "people", "members.csv")
    fields = {row["columns"][each["column"]]["name"]: each["field"] for each in row["plan"]["columns"]}
    assert list(fields.values()) == ["name", "email", "headline", "city", "country", "skills", "website"]
    assert row["judged"] == {"create": 1, "wrong": 2}
    found = await rows(idle.otto, row)
    assert [[each["code"] for each in each["faults"]] for each in found] == [
        [],
        ["not-yours"],
        ["string-pattern-mismatch"],
    ]
    row = await told_to(idle, idle.otto, row, "apply")
    assert row["written"] == {"created": 1, "failed": 2}
    address = f"/v1/people/{(await rows(idle.otto, row))[0]['id']}"
    seen = (await idle.otto.get(address)).json()
    assert {name: seen[name] for name in ("headline", "city", "country", "skills", "website", "listed")} == {
        "headline": "護理師", "city": "臺北", "country": "TW", "skills": ["護理", "急救"],
        "website": "https://lin.example.org", "listed": False,
    }  # fmt: skip
    password = await idle.server.database.pool.fetchval("SELECT password_hash FROM people WHERE id = $1", seen["id"])
    assert password is None
    row = await told_to(idle, idle.otto, row, "take-back")
    assert row["taken_back"] == {"taken_back": 1}


async def test_who_is_here_already_can_be_left_alone(idle: Cast) -> None:
    row = await judged(idle, idle.otto, MEMBERS.format(ada="ada@example.org"), "people", "members.csv")
    await idle.otto.patch(f"/v1/imports/{row['id']}", {"known": "skip"})
    assert told(await rows(idle.otto, row), "id")[1] is None, "whose address it is, is not told"
    row = await told_to(idle, idle.otto, row, "apply")
    assert row["written"] == {"created": 1, "skipped": 1, "failed": 1}
    assert (await idle.ada.get(f"/v1/people/{idle.ada.id}")).json()["headline"] is None


async def test_a_list_changes_nobody_but_the_one_who_loads_it(idle: Cast) -> None:
    table = MEMBERS.format(ada="ada@example.org")
    row = await judged(idle, idle.ada, table, "people", "members.csv")
    assert told(await rows(idle.ada, row), "verdict", "diff") == [
        ("wrong", None), ("change", {"headline": [None, "Countess"]}), ("wrong", None),
    ]  # fmt: skip
    assert [each["code"] for each in (await rows(idle.ada, row))[0]["faults"]] == ["required"]


async def test_a_list_of_students_as_handshake_takes_it_is_taken_here(idle: Cast) -> None:
    table = "email_address,username,first_name,last_name,school_year_name,mobile_number\n"
    rest = "alma@example.org,S0123,Alma,Montgomery,Junior,+1 555 010 0199\nlin@example.org,S0124,美玲,林,Senior,\n"
    row = await judged(idle, idle.otto, table + rest, "people", "students.csv")
    assert row["judged"] == {"create": 2}
    assert told(await rows(idle.otto, row), "read") == [
        {"email": "alma@example.org", "name": "Alma Montgomery", "phone": "+1 555 010 0199"},
        {"email": "lin@example.org", "name": "林美玲"},
    ]
