"""Organizations out of a list: who brings them in, what they are called, who keeps them, and how an owner takes one over."""

import orjson
import pytest

from guildhouse.organizations.organization import NAMESAKES, NOBODY
from tests.cast import Caller, Cast
from tests.kernel.importing.intake import Told, brought, judged, rows, told, told_to
from tests.organizations.scenes import Wrote, approved, found, heard, ids, refusal

pytestmark = pytest.mark.anyio
# As the list of the world's universities has them.
UNIVERSITIES = [
    {"name": "Universidad Central", "domains": ["ucentral.cl"], "web_pages": ["http://www.ucentral.cl/"],
     "country": "Chile", "alpha_two_code": "CL", "state-province": None},
    {"name": "Universidad Central", "domains": ["ucentral.edu.co"], "web_pages": ["http://www.ucentral.edu.co/", "http://x.co/"],
     "country": "Colombia", "alpha_two_code": "CO", "state-province": "Bogotá"},
    {"name": "國立中央大學", "domains": [], "web_pages": [], "country": "Taiwan, Province of China", "alpha_two_code": "TW",
     "state-province": ""},
    {"name": "Universidad Central", "domains": ["ucentral.cl"], "web_pages": ["https://ucentral.cl"],
     "country": "Chile", "alpha_two_code": "CL", "state-province": None},
]  # fmt: skip
SCHOOLS = {"constants": {"kind": "school"}}


async def listed(caller: Caller, *names: str) -> list[Told]:
    """Organizations of a list."""
    batch = await caller.post(
        "/v1/organizations:batch", {"ops": [{"op": "create", "data": {"name": n}} for n in names]}
    )
    assert batch.status_code == 200, batch.text
    found: list[Told] = [
        (await caller.get(f"/v1/organizations/{each['id']}")).json() for each in batch.json()["results"]
    ]
    return found


async def universities(cast: Cast, caller: Caller, *given: Told) -> Told:
    """The import of a list of universities, judged as schools."""
    row = await brought(cast, caller, orjson.dumps(given), "organizations", "universities.json")
    plan = {**row["plan"], **SCHOOLS}
    assert (await caller.patch(f"/v1/imports/{row['id']}", {"plan": plan, "duplicates": "skip"})).status_code == 200
    return await told_to(cast, caller, row, "judge")


async def test_those_who_approve_bring_in_what_nobody_has_founded(cast: Cast, wrote: Wrote) -> None:
    [organization] = await listed(cast.otto, "Universität Wien")
    assert [organization[name] for name in ("slug", "status", "founder_id")] == ["universitat-wien", "approved", NOBODY]
    assert ids(await cast.nobody.get("/v1/organizations")) == [organization["id"]]
    assert ids(await cast.otto.get("/v1/memberships")) == []
    await wrote("organization.created")


async def test_moderators_are_among_them(cast: Cast) -> None:
    assert len(await listed(await cast.join("Mona", "moderator"), "Universität Wien", "Universität Graz")) == 2


async def test_a_member_founds_one_and_brings_in_no_list(cast: Cast) -> None:
    ops = [{"op": "create", "data": {"name": "Guild of Weavers"}}]
    refused = (await cast.ada.post("/v1/organizations:batch", {"ops": ops})).json()
    assert (refused["failed"], refused["results"][0]["problem"]["code"]) == (1, "denied")
    assert (await found(cast, "Guild of Weavers"))["founder_id"] == cast.ada.id


async def test_namesakes_get_the_next_free_number_in_one_batch_and_in_the_next(cast: Cast) -> None:
    await found(cast, "City College")
    first = await listed(cast.otto, "City College", "CITY COLLEGE", "City College 2")
    again = await listed(cast.otto, "City College", "台北", "City-College!")
    slugs = [each["slug"] for each in (*first, *again)]
    assert slugs == [
        "city-college-2",
        "city-college-3",
        "city-college-2-2",
        "city-college-4",
        again[1]["id"],
        "city-college-5",
    ]
    assert refusal(await cast.cleo.post("/v1/organizations", {"name": "City College"})) == (409, "already-exists")


async def test_a_slug_that_was_chosen_is_not_given_to_a_namesake_in_the_same_batch(cast: Cast) -> None:
    chosen = {"name": "The City College", "slug": "city-college"}
    ops = [
        {"op": "create", "data": each}
        for each in (chosen, {"name": "City College"}, {"name": f"{'y' * 75} & {'z' * 9}"})
    ]
    batch = (await cast.otto.post("/v1/organizations:batch", {"ops": [*ops, ops[2]]})).json()
    made = [(await cast.otto.get(f"/v1/organizations/{each['id']}")).json()["slug"] for each in batch["results"]]
    assert made == ["city-college", "city-college-2", f"{'y' * 75}-zzzz", f"{'y' * 75}-2"]


async def test_a_long_name_keeps_room_for_its_number_and_after_many_the_id_serves(cast: Cast) -> None:
    made = await listed(cast.otto, *["x" * 100] * (NAMESAKES + 1))
    assert [each["slug"] for each in made[:2]] == ["x" * 80, "x" * 76 + "-2"]
    assert made[-1]["slug"] == made[-1]["id"] and len({each["slug"] for each in made}) == NAMESAKES + 1


async def test_a_list_of_universities_is_understood_loaded_and_taken_back(idle: Cast) -> None:
    row = await universities(idle, idle.otto, *UNIVERSITIES)
    names = [each["name"] for each in row["columns"]]
    assert {names[each["column"]]: each["field"] for each in row["plan"]["columns"]} == {
        "name": "name", "web_pages": "website", "country": "country", "state-province": "region",
    }  # fmt: skip
    assert row["judged"] == {"create": 3, "duplicate": 1}
    [twice] = await rows(idle.otto, row, "&verdict=duplicate")
    assert twice["duplicate"] == {"row": 0, "why": ["name", "country"]}
    row = await told_to(idle, idle.otto, row, "apply")
    assert row["written"] == {"created": 3, "skipped": 1}
    made = sorted((await idle.nobody.get("/v1/organizations")).json()["data"], key=lambda each: str(each["country"]))
    assert told(made, "slug", "kind", "country", "region", "website") == [
        ("universidad-central", "school", "CL", None, "http://www.ucentral.cl/"),
        ("universidad-central-2", "school", "CO", "Bogotá", "http://www.ucentral.edu.co/"),
        (made[2]["id"], "school", "TW", None, None),
    ]
    again = await universities(idle, idle.otto, *UNIVERSITIES)
    assert again["judged"] == {"duplicate": 4}
    row = await told_to(idle, idle.otto, row, "take-back")
    assert row["taken_back"] == {"taken_back": 3}
    assert ids(await idle.otto.get("/v1/organizations")) == []


async def test_codes_are_taken_where_names_of_countries_are_not_known(idle: Cast) -> None:
    names = [
        {"name": f"College {n}", "country": name, "alpha_two_code": "XK"} for n, name in enumerate(("Kosova", "n. a."))
    ]
    row = await brought(idle, idle.otto, orjson.dumps(names), "organizations", "list.json")
    assert [(each["column"], each["field"]) for each in row["plan"]["columns"]] == [(0, "name"), (2, "country")]


async def test_a_list_in_chinese_says_what_kind_each_is(idle: Cast) -> None:
    table = "單位,類型,官網,國家,縣市\n國立臺灣大學,大學,www.ntu.edu.tw,臺灣,臺北\n臺北市,城市,,台灣,\n某處,其它的,,,\n"
    row = await judged(idle, idle.otto, table, "organizations", "list.csv")
    assert row["judged"] == {"create": 2, "wrong": 1}
    read = told(await rows(idle.otto, row), "read")
    assert read[0] == {
        "name": "國立臺灣大學", "kind": "school", "website": "https://www.ntu.edu.tw", "country": "TW", "city": "臺北",
    }  # fmt: skip
    assert read[1]["kind"] == "city"


async def test_who_may_not_approve_imports_none(idle: Cast) -> None:
    row = await judged(idle, idle.ada, "name\nUniversität Wien\n", "organizations", "list.csv")
    assert row["judged"] == {"wrong": 1}
    [wrong] = await rows(idle.ada, row)
    assert [each["code"] for each in wrong["faults"]] == ["denied"]


async def test_those_who_approve_keep_what_nobody_has_founded_and_nothing_else(cast: Cast) -> None:
    mona = await cast.join("Mona", "moderator")
    [organization] = await listed(cast.otto, "Universität Wien")
    address = f"/v1/organizations/{organization['id']}"
    assert refusal(await cast.ada.patch(address, {"city": "Wien"})) == (403, "denied")
    assert (await mona.patch(address, {"city": "Wien"})).json()["city"] == "Wien"
    assert (await mona.delete(address)).status_code == 204
    assert (await mona.post(f"{address}/restore")).status_code == 200
    founded = f"/v1/organizations/{(await approved(cast))['id']}"
    assert refusal(await mona.patch(founded, {"city": "Wien"})) == (403, "denied")
    assert refusal(await mona.delete(founded)) == (403, "denied")


async def test_an_owner_takes_it_over_and_taking_the_list_back_leaves_it(idle: Cast) -> None:
    row = await told_to(idle, idle.otto, await universities(idle, idle.otto, *UNIVERSITIES[:2]), "apply")
    address = f"/v1/organizations/{(await rows(idle.otto, row))[0]['id']}"
    owned = await heard(idle, await idle.otto.post(f"{address}/appoint-owner", {"person_id": idle.ada.id}))
    assert owned["founder_id"] == idle.ada.id
    assert (await idle.ada.patch(address, {"city": "Santiago"})).json()["city"] == "Santiago"
    assert refusal(await idle.otto.patch(address, {"city": "Valparaíso"})) == (403, "denied")
    row = await told_to(idle, idle.otto, row, "take-back")
    assert row["taken_back"] == {"changed_since": 1, "taken_back": 1}
    assert (await idle.nobody.get(address)).status_code == 200


async def test_a_list_changes_what_it_names_by_the_slug_but_not_what_has_an_owner(idle: Cast) -> None:
    await approved(idle)
    await listed(idle.otto, "Universität Wien")
    table = "slug,name,city\nuniversitat-wien,Universität Wien,Wien\nanalytical-engines,Analytical Engines,Paris\n"
    row = await judged(idle, idle.otto, table, "organizations", "list.csv")
    found = await rows(idle.otto, row)
    assert told(found, "verdict", "diff") == [("change", {"city": [None, "Wien"]}), ("wrong", None)]
    assert [each["code"] for each in found[1]["faults"]] == ["not-yours"]
