"""Arrivals: a person's take-out comes into another server, with its ids; a hostile one is refused in words."""

import io
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from guildhouse import app
from guildhouse.accounts.leaving.zipping import only
from guildhouse.accounts.moving_in import settling, unzipping
from guildhouse.kernel.tasks import Work
from tests.accounts.test_takeout import lived
from tests.cast import Caller, Cast, at_home, client_of, signed_in
from tests.contracts.samples import packed
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio
Told = dict[str, Any]
Files = dict[str, bytes]


async def archive_of(caller: Caller) -> bytes:
    row = await packed(caller, (await caller.made("/v1/takeouts", {}))["id"])
    return (await caller.get(f"/v1/takeouts/{row['id']}/file")).content


async def settled(far: app.Running, olga: Caller, content: bytes, *verbs: str) -> Told:
    """An arrival of the other server, after these verbs."""
    sent = await olga.client.post("/v1/arrivals?name=moved.zip", content=content)
    assert sent.status_code == 202, sent.text
    await settling.settle(Work(far.server, None, sent.json()["id"], 1))
    return await then(far, olga, sent.json(), *verbs)


async def then(far: app.Running, olga: Caller, row: Told, *verbs: str) -> Told:
    for verb in verbs:
        await olga.made(f"/v1/arrivals/{row['id']}/{verb}", {})
        await settling.settle(Work(far.server, None, row["id"], 1))
    found: Told = (await olga.get(f"/v1/arrivals/{row['id']}")).json()
    return found


def unpacked(content: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(files: Files, *, honest: bool = True) -> bytes:
    """An archive of these files, with a manifest that says so where it is honest in that."""
    manifest = orjson.loads(files["manifest.json"])
    if honest:
        manifest["files"] = [
            {"path": path, "size": len(each), "sha256": sha256(each).hexdigest()}
            for path, each in files.items() if path != "manifest.json"
        ]  # fmt: skip
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, each in {**files, "manifest.json": orjson.dumps(manifest)}.items():
            archive.writestr(path, each)
    return sink.getvalue()


def changed(content: bytes, noun: str, change: Callable[[Told], None]) -> bytes:
    """The archive with the first row of a noun changed, and an honest manifest."""
    files = unpacked(content)
    about, first, *rest = files[f"data/{noun}.guildhouse.ndjson"].splitlines()
    row = orjson.loads(first)
    change(row)
    files[f"data/{noun}.guildhouse.ndjson"] = b"\n".join([about, orjson.dumps(row), *rest, b""])
    return repacked(files)


async def exported(caller: Caller, noun: str) -> bytes:
    return (await caller.get(f"/v1/{noun}:export?format=guildhouse")).content


NOUNS = ("people", "jobs", "applications", "notes", "reminders")


async def test_a_person_moves_with_all_that_is_theirs_and_every_id(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    await lived(cast)
    row = await settled(far_stage, olga, await archive_of(cast.cleo))
    assert (row["status"], row["arriving_id"], row["arriving_name"]) == ("judged", cast.cleo.id, "Cleo")
    assert row["judged"] == {
        "people": {"create": 1}, "sessions": {"left": 1}, "takeouts": {"left": 1}, "jobs": {"create": 1},
        "applications": {"create": 1}, "notes": {"create": 2}, "reminders": {"create": 1},
    }  # fmt: skip
    assert await far_stage.server.database.pool.fetchval("SELECT count(*) FROM reminders") == 0
    row = await then(far_stage, olga, row, "apply")
    assert (row["status"], row["faults"], row["written"]["notes"]) == ("applied", [], {"created": 2})
    there = await at_home(far_stage.server, far_stage.asgi, cast.cleo)
    for noun in ("applications", "notes", "reminders"):
        assert await exported(there, noun) == await exported(cast.cleo, noun)
    me = (await there.get(f"/v1/people/{cast.cleo.id}")).json()
    assert (me["email"], me["role"]) == ("cleo@example.org", "member")
    assert [each["title"] for each in (await there.get("/v1/jobs")).json()["data"]] == ["A secret hope"]


async def test_a_second_arrival_of_the_same_archive_changes_nothing(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    await lived(cast)
    content = await archive_of(cast.cleo)
    await settled(far_stage, olga, content, "apply")
    before = await far_stage.server.database.pool.fetchval("SELECT max(seq) FROM changes WHERE resource <> 'arrivals'")
    row = await settled(far_stage, olga, content, "apply")
    assert row["judged"]["notes"] == {"same": 2} and row["written"]["jobs"] == {"unchanged": 1}
    after = await far_stage.server.database.pool.fetchval("SELECT max(seq) FROM changes WHERE resource <> 'arrivals'")
    assert after == before


async def test_an_arrival_is_taken_back_but_for_what_was_changed_since(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    await lived(cast)
    content = await archive_of(cast.cleo)
    row = await settled(far_stage, olga, content, "apply")
    there = await at_home(far_stage.server, far_stage.asgi, cast.cleo)
    mine = (await there.get("/v1/reminders")).json()["data"][0]["id"]
    assert (await there.patch(f"/v1/reminders/{mine}", {"text": "Write to them"})).status_code == 200
    row = await then(far_stage, olga, row, "take-back")
    assert row["taken_back"] == {
        "reminders": {"changed_since": 1}, "notes": {"taken_back": 2}, "applications": {"taken_back": 1},
        "jobs": {"taken_back": 1}, "people": {"taken_back": 1},
    }  # fmt: skip
    assert await far_stage.server.database.pool.fetchval("SELECT count(*) FROM notes WHERE deleted_at IS NULL") == 0
    row = await settled(far_stage, olga, content, "apply")
    assert row["written"]["notes"] == {"created": 2} and row["written"]["reminders"] == {"failed": 1}


async def test_nobody_arrives_with_more_rights_than_a_plain_member(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    await lived(cast)
    content = changed(await archive_of(cast.cleo), "people", lambda row: row.update(role="admin"))
    await settled(far_stage, olga, content, "apply")
    role = await far_stage.server.database.pool.fetchval("SELECT role FROM people WHERE id = $1", cast.cleo.id)
    assert role == "member"


async def test_a_row_without_a_bottom_is_wrong_and_no_more(cast: Cast, far_stage: app.Running, olga: Caller) -> None:
    await lived(cast)
    files = unpacked(await archive_of(cast.cleo))
    about, row = files["data/reminders.guildhouse.ndjson"].splitlines()
    deep = row.replace(b'"Call them"', b"[" * 900 + b'"\\u0000"' + b"]" * 900)
    files["data/reminders.guildhouse.ndjson"] = b"\n".join([about, deep, b""])
    found = await settled(far_stage, olga, repacked(files))
    assert found["judged"]["reminders"] == {"wrong": 1}
    assert [each["code"] for each in found["faults"]] == ["too-deep"]


async def test_memberships_are_left_behind(cast: Cast, far_stage: app.Running, olga: Caller) -> None:
    await lived(cast)
    row = await settled(far_stage, olga, await archive_of(cast.ada), "apply")
    assert row["written"]["memberships"] == {"left": 1}
    assert await far_stage.server.database.pool.fetchval("SELECT count(*) FROM memberships") == 0


@pytest.mark.parametrize(
    ("noun", "change"),
    [
        ("reminders", {"person_id": "019a9f3c-7c00-7000-8000-000000000001"}),
        ("jobs", {"person_id": None, "organization_id": "019a9f3c-7c00-7000-8000-000000000001"}),
        ("people", {"id": "019a9f3c-7c00-7000-8000-000000000001"}),
        ("applications", {"rating": 5}),
        ("applications", {"applicant_id": "019a9f3c-7c00-7000-8000-000000000001"}),
        ("notes", {"audience": "team"}),
    ],
)
async def test_an_archive_with_rows_of_others_is_refused_as_a_whole(
    cast: Cast, far_stage: app.Running, olga: Caller, noun: str, change: Told
) -> None:
    await lived(cast)
    row = await settled(far_stage, olga, changed(await archive_of(cast.cleo), noun, lambda row: row.update(change)))
    assert (row["status"], row["problem"]["code"]) == ("failed", "archive-refused"), row["judged"]
    assert [each["code"] for each in row["problem"]["errors"]] == ["not-own"]
    assert await far_stage.server.database.pool.fetchval("SELECT count(*) FROM people") == 1


async def test_another_persons_row_with_the_same_id_stays_theirs(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    await lived(cast)
    content = await archive_of(cast.cleo)
    dora = await signed_in(far_stage.server, far_stage.asgi, "Dora", "member", {})
    row = await dora.made("/v1/reminders", {"text": "Dora's own", "due_at": "2030-01-01T08:00:00Z"})
    stolen = changed(content, "reminders", lambda each: each.update(id=row["id"]))
    found = await settled(far_stage, olga, stolen, "apply")
    assert found["written"]["reminders"] == {"failed": 1}
    assert [(each["noun"], each["line"], each["code"]) for each in found["faults"]] == [("reminders", 2, "id-taken")]
    assert (await dora.delete(f"/v1/reminders/{row['id']}")).status_code == 204
    found = await settled(far_stage, olga, stolen, "apply")
    assert found["written"]["reminders"] == {"failed": 1}, "not out of the trash either"


async def test_an_address_that_is_taken_keeps_the_person_out(cast: Cast, far_stage: app.Running, olga: Caller) -> None:
    content = changed(await archive_of(cast.cleo), "people", lambda row: row.update(email="olga@example.org"))
    row = await settled(far_stage, olga, content)
    assert (row["status"], row["problem"]["code"]) == ("failed", "archive-refused")
    assert [(each["pointer"], each["code"]) for each in row["problem"]["errors"]] == [("/email", "already-exists")]


async def test_no_new_row_comes_into_sight_of_an_organization_that_is_here(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    application = await lived(cast)
    here = await olga.made("/v1/organizations", {"name": "Harbour Lane"})

    def forged(row: Told) -> None:
        row.update(organization_id=here["id"], stage="hired")

    content = changed(await archive_of(cast.cleo), "applications", forged)
    row = await settled(far_stage, olga, content, "apply")
    assert row["written"]["applications"] == {"failed": 1}
    assert {"known-here", "not-found"} >= {each["code"] for each in row["faults"]}
    assert (await olga.get(f"/v1/applications/{application['id']}")).status_code == 404


def broken(kind: str, content: bytes) -> bytes:
    files = unpacked(content)
    if kind == "cut":
        return content[: len(content) // 2]
    if kind == "no-manifest":
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("readme", "nothing")
        return sink.getvalue()
    if kind == "version":
        manifest = {**orjson.loads(files["manifest.json"]), "guildhouse_takeout": 2}
        return repacked({**files, "manifest.json": orjson.dumps(manifest)})
    if kind == "altered":
        return repacked({**files, "index.html": files["index.html"] + b" "}, honest=False)
    if kind == "unlisted":
        return repacked({**files, "more": b"x"}, honest=False)
    if kind == "outside":
        return repacked({**files, "../../etc/passwd": b"x"})
    if kind == "noun":
        return repacked({**files, "data/secrets.guildhouse.ndjson": b'{"guildhouse":1,"resource":"secrets"}\n'})
    return repacked({**files, "data/reminders.guildhouse.ndjson": b"what"})


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("cut", "broken-archive"), ("no-manifest", "no-manifest"), ("version", "no-manifest"),
        ("altered", "wrong-checksum"), ("unlisted", "unlisted"), ("outside", "path-outside"), ("noun", "unknown-rows"),
        ("rows", "broken-rows"),
    ],
)  # fmt: skip
async def test_what_is_no_whole_take_out_is_refused(
    cast: Cast, far_stage: app.Running, olga: Caller, kind: str, code: str
) -> None:
    row = await settled(far_stage, olga, broken(kind, await archive_of(cast.cleo)))
    assert (row["status"], row["problem"]["code"]) == ("failed", "archive-refused")
    assert [each["code"] for each in row["problem"]["errors"]] == [code]
    assert refusal(await olga.post(f"/v1/arrivals/{row['id']}/apply")) == (403, "denied")


def bomb(claimed: int | None = None) -> bytes:
    """Ten megabytes of nothing, as an archive that may say that it has less."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 10_000_000)
    content = sink.getvalue()
    if claimed is not None:
        content = content.replace((10_000_000).to_bytes(4, "little"), claimed.to_bytes(4, "little"))
    return content


def test_a_bomb_is_seen_before_it_is_unpacked(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzipping, "LARGEST_UNPACKED", 1_000_000)
    path = tmp_path / "bomb.zip"
    path.write_bytes(bomb())
    with pytest.raises(unzipping.ArchiveRefused) as caught:
        unzipping.read_archive(path)
    assert [each.code for each in caught.value.faults] == ["unpacks-too-large"]
    path.write_bytes(bomb(claimed=100))
    with zipfile.ZipFile(path) as archive, pytest.raises((unzipping.ArchiveRefused, zipfile.BadZipFile)):
        unzipping.digest_of(archive, archive.infolist()[0])


@pytest.mark.parametrize(
    ("name", "inside"),
    [("a/b.txt", True), ("履歷/a", True), ("../a", False), ("a/../b", False), ("/a", False), ("a\\b", False),
     ("C:a", False), ("a//b", False), ("", False), ("./a", False), ("a/", False)],
)  # fmt: skip
def test_names_that_lead_out_are_known(name: str, inside: bool) -> None:
    assert unzipping.is_inside(name) is inside


async def test_only_admins_take_archives_in(cast: Cast) -> None:
    before = await cast.server.files.names("arrivals/")  # those of other tests go when their tasks come to it
    sent = await cast.ada.client.post("/v1/arrivals", content=b"PK")
    assert refusal(sent) == (403, "not-yours-to-load")
    assert refusal(await cast.otto.client.post("/v1/arrivals", content=b"")) == (422, "invalid")
    assert set(await cast.server.files.names("arrivals/")) <= set(before)


async def test_a_run_that_was_killed_does_nothing_twice(
    cast: Cast, far_stage: app.Running, olga: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(cast)
    row = await settled(far_stage, olga, await archive_of(cast.cleo))
    await olga.made(f"/v1/arrivals/{row['id']}/apply", {})
    work = Work(far_stage.server, None, row["id"], 1)
    with monkeypatch.context() as patch:
        patch.setattr(settling, "told", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await settling.settle(work)
    assert await far_stage.server.database.pool.fetchval("SELECT count(*) FROM notes") == 0
    for _ in range(2):
        await settling.settle(work)
    assert await far_stage.server.database.pool.fetchval("SELECT count(*) FROM notes") == 2
    assert (await olga.get(f"/v1/arrivals/{row['id']}")).json()["status"] == "applied"


async def test_archives_are_kept_no_longer_than_they_are_needed(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    server, content = far_stage.server, await archive_of(cast.cleo)
    await server.files.write("arrivals/01000000-0000-7000-8000-000000000000/upload", only(b"of a crash"))
    waiting, loaded = [await settled(far_stage, olga, content) for _ in range(2)]
    loaded = await then(far_stage, olga, loaded, "apply")
    for row in (waiting, loaded):
        await settling.remove_files(Work(server, None, row["id"], 1))
    await settling.sweep(Work(server, None, "", 1))
    own = [each for each in await server.files.names("arrivals/") if waiting["id"] in each or "01000000" in each]
    assert own == [f"arrivals/{waiting['id']}/upload"]
    await server.database.pool.execute("UPDATE arrivals SET finished_at = now() - interval '8 days'")
    await settling.sweep(Work(server, None, "", 1))
    assert [each["id"] for each in (await olga.get("/v1/arrivals")).json()["data"]] == [loaded["id"]]
    await settling.remove_files(Work(server, None, waiting["id"], 1))
    assert waiting["id"] not in "".join(await server.files.names("arrivals/"))


async def test_a_person_who_arrived_chooses_a_password_and_signs_in(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    await settled(far_stage, olga, await archive_of(cast.cleo), "apply")
    welcome = await olga.made(f"/v1/people/{cast.cleo.id}/welcome", {})
    nobody, password = Caller(client_of(far_stage.asgi)), "a password of some length"
    claimed = await nobody.post("/v1/people:claim", {"token": welcome["token"], "password": password})
    assert claimed.status_code == 204
    signed = await nobody.post("/v1/sessions", {"email": "cleo@example.org", "password": password})
    assert signed.json()["person_id"] == cast.cleo.id
    elsewhere = await cast.nobody.post("/v1/people:claim", {"token": welcome["token"], "password": password})
    assert refusal(elsewhere) == (404, "welcome-over"), "a link of one server is none of another"


async def test_an_arrival_is_erased_with_the_person_who_arrived(
    cast: Cast, far_stage: app.Running, olga: Caller
) -> None:
    row = await settled(far_stage, olga, await archive_of(cast.cleo), "apply")
    gone = await olga.post(f"/v1/people/{cast.cleo.id}/erase", {"email": "cleo@example.org"})
    assert gone.status_code == 204, gone.text
    assert refusal(await olga.get(f"/v1/arrivals/{row['id']}")) == (404, "not-found")


async def test_archives_that_were_tampered_with_anywhere_are_refused_or_whole(cast: Cast, tmp_path: Path) -> None:
    """Bytes are changed, cut out and doubled at random; nothing but a refusal may come of it."""
    chance, path, content = Random(7), tmp_path / "a.zip", await archive_of(cast.cleo)
    directory = content.index(b"PK\x01\x02")
    refusals = 0
    for turn in range(400):
        spoiled = bytearray(content)
        start = directory if turn % 2 else 0  # half of them where the archive's own directory is
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(start, len(spoiled))
            kind = chance.randrange(3)
            if kind == 0:
                spoiled[place] = chance.randrange(256)
            elif kind == 1:
                del spoiled[place : place + chance.randint(1, 50)]
                spoiled += b"\0"
            else:
                spoiled[place:place] = spoiled[place : place + 20]
        path.write_bytes(spoiled)
        try:
            unzipping.read_archive(path)
        except unzipping.ArchiveRefused:
            refusals += 1
    assert refusals > 300
