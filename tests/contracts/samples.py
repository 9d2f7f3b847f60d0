"""One row of every resource, and who may do what with it: what the contracts are tried on."""

from asyncio import sleep
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from guildhouse.kernel.retaining.retention import purge_one
from guildhouse.kernel.retaining.shelving import shelve
from guildhouse.kernel.searching.heard import Searched
from guildhouse.kernel.tasks import Work
from tests.cast import Caller, Cast
from tests.organizations.scenes import join


@dataclass
class Sample:
    """A row, who owns it, and who must not see it. `create` is a body for one more, `patch` a change the owner may make.

    `batcher` writes many at once, where that is not for everybody who may write one.
    An `insider` holds a scope of the row, and is excepted by it.
    """

    owner: Caller
    row: dict[str, Any]
    stranger: Caller | None
    create: Callable[[int], dict[str, Any]] | None = None
    patch: dict[str, Any] = field(default_factory=dict)
    removable: bool = True
    batcher: Caller | None = None
    insider: Caller | None = None

    @property
    def strangers(self) -> list[Caller]:
        """Everybody who must not see it."""
        return [each for each in (self.stranger, self.insider) if each]


Make = Callable[[Cast], Awaitable[Sample]]


async def api_key(cast: Cast) -> Sample:
    row = await cast.ada.made("/v1/api-keys", {"name": "import", "permissions": ["*.read"]})
    row.pop("key")
    return Sample(cast.ada, row, cast.cleo, lambda n: {"name": f"key {n}"}, {"name": "nightly import"})


async def person(cast: Cast) -> Sample:
    await cast.ada.patch(f"/v1/people/{cast.ada.id}", {"listed": False, "skills": ["sql"]})
    row = (await cast.ada.get(f"/v1/people/{cast.ada.id}")).json()
    return Sample(cast.ada, row, cast.cleo, None, {"headline": "Analyst", "audience": {"phone": "coaches"}})


async def session(cast: Cast) -> Sample:
    row = (await cast.ada.get("/v1/sessions")).json()["data"][0]
    return Sample(cast.ada, row, cast.cleo, removable=False)


async def operation(cast: Cast) -> Sample:
    body = b'{"op": "create", "data": {"name": "by batch"}}\n'
    headers = {"content-type": "application/x-ndjson"}
    response = await cast.ada.client.post("/v1/api-keys:batch", content=body, headers=headers)
    row = await finished(cast.ada, response.json()["id"])
    return Sample(cast.ada, row, cast.cleo)


async def finished(caller: Caller, operation_id: str) -> dict[str, Any]:
    """The operation, once it has come to an end."""
    for _ in range(200):
        row: dict[str, Any] = (await caller.get(f"/v1/operations/{operation_id}")).json()
        if row["finished_at"]:
            return row
        await sleep(0.05)
    raise AssertionError(f"the operation did not come to an end: {row}")


async def export(cast: Cast) -> Sample:
    row = await cast.ada.made("/v1/exports", {"resource": "jobs"})
    for _ in range(200):
        row = (await cast.ada.get(f"/v1/exports/{row['id']}")).json()
        if row["finished_at"]:
            break
        await sleep(0.05)
    return Sample(cast.ada, row, cast.cleo)


async def takeout(cast: Cast) -> Sample:
    row = await cast.ada.made("/v1/takeouts", {})
    return Sample(cast.ada, await packed(cast.ada, row["id"]), cast.cleo)


async def packed(caller: Caller, takeout_id: str) -> dict[str, Any]:
    """The take-out, once it has come to an end."""
    for _ in range(400):
        row: dict[str, Any] = (await caller.get(f"/v1/takeouts/{takeout_id}")).json()
        if row["finished_at"]:
            return row
        await sleep(0.05)
    raise AssertionError(f"the take-out did not come to an end: {row}")


async def arrival(cast: Cast) -> Sample:
    response = await cast.otto.client.post("/v1/arrivals?name=mina.zip", content=b"no archive")
    assert response.status_code == 202, response.text
    for _ in range(400):
        row: dict[str, Any] = (await cast.otto.get(f"/v1/arrivals/{response.json()['id']}")).json()
        if row["finished_at"]:
            break
        await sleep(0.05)
    return Sample(cast.otto, row, cast.cleo)


async def backup(cast: Cast) -> Sample:
    row = await cast.otto.made("/v1/backups", {})
    for _ in range(400):  # it fails: the server of these tests has no place for backups
        row = (await cast.otto.get(f"/v1/backups/{row['id']}")).json()
        if row["finished_at"]:
            break
        await sleep(0.05)
    return Sample(cast.otto, row, cast.cleo)


async def organization(cast: Cast) -> Sample:
    body = {"name": "Analytical Engines", "kind": "employer"}
    row = await cast.ada.made("/v1/organizations", body)

    def create(n: int) -> dict[str, Any]:
        return {"name": f"Guild {n}", "kind": "guild"}

    return Sample(cast.ada, row, cast.cleo, create, {"city": "Tainan"}, batcher=cast.otto)


async def approved(cast: Cast) -> dict[str, Any]:
    """An approved organization of Ada's."""
    row = (await organization(cast)).row
    return await cast.otto.made(f"/v1/organizations/{row['id']}/approve", {})


async def membership(cast: Cast) -> Sample:
    place = await organization(cast)
    row = (await cast.ada.get(f"/v1/memberships?organization_id={place.row['id']}")).json()["data"][0]
    return Sample(cast.ada, row, cast.cleo, removable=False)


async def invitation(cast: Cast) -> Sample:
    place = (await organization(cast)).row["id"]

    def create(n: int) -> dict[str, Any]:
        return {"organization_id": place, "email": f"guest{n}@example.org", "role": "viewer"}

    row = await cast.ada.made("/v1/invitations", create(0))
    row = (await cast.ada.get(f"/v1/invitations/{row['id']}")).json()
    return Sample(cast.ada, row, cast.cleo, lambda n: create(n + 1), removable=False)


async def job(cast: Cast) -> Sample:
    place = (await approved(cast))["id"]

    def create(n: int) -> dict[str, Any]:
        return {
            "organization_id": place, "title": f"Engine programmer {n}", "skills": ["python", "機器學習"],
            "salary_min": 60000, "salary_max": 80000.5, "salary_currency": "TWD", "salary_period": "month",
            "closes_on": "2030-01-31", "city": "臺北",
        }  # fmt: skip

    row = await cast.ada.made("/v1/jobs", create(0))
    patch = {"title": "Senior engine programmer", "salary_max": 90000, "skills": ["python"]}
    return Sample(cast.ada, row, cast.cleo, create, patch)


async def opened(cast: Cast) -> dict[str, Any]:
    """An open job of Ada's organization."""
    row = (await job(cast)).row
    return await cast.ada.made(f"/v1/jobs/{row['id']}/publish", {})


async def stage(cast: Cast) -> Sample:
    place = (await approved(cast))["id"]

    def create(n: int) -> dict[str, Any]:
        return {"organization_id": place, "name": f"Round {n}", "outcome": "interviewing", "position": n}

    row = await cast.ada.made("/v1/stages", create(0))
    return Sample(cast.ada, row, None, lambda n: create(n + 1), {"name": "Call with the team"})


async def candidate(cast: Cast) -> Sample:
    place = (await approved(cast))["id"]

    def create(n: int) -> dict[str, Any]:
        return {
            "organization_id": place, "first_name": "Mary", "last_name": f"Somerville {n}", "phone": f"0912 345 {n:03}",
            "email": f"mary{n}@example.org", "tags": ["astronomy"], "source": "greenhouse", "external_id": str(n),
        }  # fmt: skip

    row = await claimed(cast, await cast.ada.made("/v1/candidates", create(0)))
    patch = {"headline": "Astronomer", "city": "臺南"}
    return Sample(cast.ada, row, cast.cleo, lambda n: create(n + 1), patch, insider=cast.ben)


async def claimed(cast: Cast, candidate: dict[str, Any]) -> dict[str, Any]:
    """A candidate whom Ben, who is on the team, has shown to be."""
    await join(cast, {"id": candidate["organization_id"]}, cast.ben, "recruiter")
    link = await cast.ada.made(f"/v1/candidates/{candidate['id']}/claim-link", {})
    await cast.ben.made("/v1/candidates:claim", {"token": link["token"]})
    row: dict[str, Any] = (await cast.ada.get(f"/v1/candidates/{candidate['id']}")).json()
    return row


async def application(cast: Cast) -> Sample:
    job = await opened(cast)
    mary = await cast.ada.made("/v1/candidates", {"organization_id": job["organization_id"], "name": "Mary Somerville"})
    await claimed(cast, mary)
    # What was begun after that is still the candidate's, and kept from whom they turned out to be.
    row = await cast.ada.made(
        "/v1/applications", {"job_id": job["id"], "candidate_id": mary["id"], "source": "a friend"}
    )
    numbered = iter(range(1000))

    def create(_n: int) -> dict[str, Any]:
        return {"job_id": tracked[next(numbered)], "excitement": 4}

    tracked = [(await cast.ada.made("/v1/jobs", {"title": f"Found {n}"}))["id"] for n in range(20)]
    patch = {"cover_letter": "Dear Ms Byron", "team_note": "ask about 5 days"}
    return Sample(cast.ada, row, cast.cleo, create, patch, insider=cast.ben)


async def note(cast: Cast) -> Sample:
    job = await opened(cast)
    await join(cast, {"id": job["organization_id"]}, cast.ben, "recruiter")
    place = (await cast.ben.made("/v1/applications", {"job_id": job["id"], "stage": "submitted"}))["id"]

    def create(n: int) -> dict[str, Any]:
        return {"application_id": place, "audience": "team", "body": f"note {n}"}

    row = await cast.ada.made("/v1/notes", create(0))
    return Sample(cast.ada, row, cast.cleo, create, {"body": "better said"}, insider=cast.ben)


async def reminder(cast: Cast) -> Sample:
    def create(n: int) -> dict[str, Any]:
        return {"text": f"Ask how it goes {n}", "due_at": f"2030-01-01T08:00:{n % 60:02}Z"}

    row = await cast.ben.made("/v1/reminders", create(0))
    return Sample(cast.ben, row, cast.cleo, create, {"text": "Call them"})


async def saved_search(cast: Cast) -> Sample:
    def create(n: int) -> dict[str, Any]:
        query = {"status": "open", "salary_max[gte]": str(50_000 + n), "city": "臺北"}
        return {"name": f"Search {n}", "resource": "jobs", "query": query, "alert": "daily"}

    row = await cast.ada.made("/v1/saved-searches", create(0))
    patch = {"name": "Closer", "query": {"city": None, "country": "TW"}, "alert": "weekly"}
    return Sample(cast.ada, row, cast.cleo, lambda n: create(n + 1), patch)


async def search_match(cast: Cast) -> Sample:
    await cast.ada.made("/v1/saved-searches", {"name": "Mine", "resource": "jobs"})
    await cast.ada.made("/v1/jobs", {"title": "Found elsewhere"})
    for _ in range(200):
        if rows := (await cast.ada.get("/v1/search-matches")).json()["data"]:
            break
        await sleep(0.02)
    return Sample(cast.ada, rows[0], cast.cleo, None, {"seen_at": "2026-11-20T08:00:00Z"})


async def recent_search(cast: Cast) -> Sample:
    cast.server.ear.hear(Searched("jobs", "精密機械 engineer", cast.ada.id, 3, 3, 12.5, {"status": "open"}))
    await cast.server.ear.tell(cast.server)
    return Sample(cast.ada, (await cast.ada.get("/v1/recent-searches")).json()["data"][0], cast.cleo)


async def import_(cast: Cast) -> Sample:
    response = await cast.ada.client.post("/v1/imports?resource=reminders&name=calls.csv", content=b"text\nCall Ben\n")
    assert response.status_code == 202, response.text
    return Sample(cast.ada, await rested(cast.ada, response.json()["id"]), cast.cleo, None, {"mode": "atomic"})


async def rested(caller: Caller, import_id: str) -> dict[str, Any]:
    """The import, once nothing works on it."""
    for _ in range(400):
        row: dict[str, Any] = (await caller.get(f"/v1/imports/{import_id}")).json()
        if row["status"] not in ("reading", "judging", "applying", "taking_back"):
            return row
        await sleep(0.05)
    raise AssertionError(f"the import did not come to rest: {row}")


async def mapping(cast: Cast) -> Sample:
    def create(n: int) -> dict[str, Any]:
        plan = {"columns": [{"column": 0, "field": "text"}]}
        return {"name": f"My list {n}", "resource": "reminders", "header": ["What"], "plan": plan}

    row = await cast.ada.made("/v1/mappings", create(0))
    return Sample(cast.ada, row, cast.cleo, lambda n: create(n + 1), {"name": "Another name"})


async def hold(cast: Cast) -> Sample:
    def create(n: int) -> dict[str, Any]:
        return {"resource": "people", "row_id": cast.cleo.id, "everything": n > 0, "reason": f"Case {n}"}

    row = await cast.otto.made("/v1/holds", create(0))
    return Sample(cast.otto, row, cast.cleo, lambda n: create(n + 1), {"reason": "Another case"}, removable=False)


async def retained_file(cast: Cast) -> Sample:
    job = await cast.ada.made("/v1/jobs", {"title": "Purged"})
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    server = replace(cast.server, config=cast.server.config.model_copy(update={"keep_purged_days": 90}))
    async with Work(server, None, "", 1).writing() as ctx:
        row = await ctx.connection.fetchrow("SELECT * FROM jobs WHERE id = $1", job["id"])
        await purge_one(ctx, ctx.house.resources["jobs"], ctx.house.resources["jobs"].table.of(row))
        await shelve(Work(server, None, "", 1), ctx)
    row = (await cast.otto.get("/v1/retained-files")).json()["data"][0]
    return Sample(cast.otto, row, cast.cleo)


SAMPLES: dict[str, Make] = {
    "api_keys": api_key,
    "applications": application,
    "candidates": candidate,
    "arrivals": arrival,
    "imports": import_,
    "exports": export,
    "holds": hold,
    "retained_files": retained_file,
    "recent_searches": recent_search,
    "saved_searches": saved_search,
    "search_matches": search_match,
    "backups": backup,
    "invitations": invitation,
    "jobs": job,
    "mappings": mapping,
    "memberships": membership,
    "notes": note,
    "operations": operation,
    "organizations": organization,
    "people": person,
    "reminders": reminder,
    "sessions": session,
    "stages": stage,
    "takeouts": takeout,
}
