"""A person moves between servers that are killed meanwhile: the archive is whole, and it comes in whole, or not yet."""

import io
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import orjson
from httpx2 import Client

from guildhouse.kernel.ids import new_id
from tests.commands.processes import Place, Up, sql, wait_until

ROWS = 1_500
# Whether there is an open transaction that has written reminders.
AT_WORK = "SELECT count(*) FROM pg_locks WHERE relation = 'reminders'::regclass AND mode = 'RowExclusiveLock'"
COUNTS = "SELECT count(*), count(*) FILTER (WHERE deleted_at IS NULL) FROM reminders"


def now(client: Client, address: str) -> dict[str, Any]:
    row: dict[str, Any] = client.get(address).json()
    return row


def rested(client: Client, address: str, status: str) -> dict[str, Any]:
    """The row once it has this status, which must be its next one to rest in."""
    busy = ("queued", "running", "judging", "applying", "taking_back")
    wait_until(lambda: now(client, address)["status"] not in busy)
    row = now(client, address)
    assert row["status"] == status, row
    return row


def reminder(n: int) -> dict[str, Any]:
    return {"text": f"Call {n}", "due_at": "2030-01-01T08:00:00Z"}


def archive(person: bytes, count: int) -> bytes:
    """A take-out of somebody with so many reminders, as another server would have made it of a person like this one."""
    about, row = [orjson.loads(line) for line in person.splitlines()]
    mina = {**row, "id": new_id(), "email": "mina@example.org", "name": "Mina"}
    whose = {"id": mina["id"], "name": mina["name"], "email": mina["email"]}
    own = {"person_id": mina["id"], "created_at": row["created_at"]}
    calls = [{**reminder(n), **own, "id": new_id()} for n in range(count)]
    files = {
        "data/people.guildhouse.ndjson": in_lines([about, mina]),
        "data/reminders.guildhouse.ndjson": in_lines([{**about, "resource": "reminders", "fields": []}, *calls]),
    }
    listed = [{"path": path, "size": len(each), "sha256": sha256(each).hexdigest()} for path, each in files.items()]
    said = {"guildhouse_takeout": 1, "person": whose, "server": {"name": "Elsewhere"}, "made_at": row["created_at"]}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        for path, content in {**files, "manifest.json": orjson.dumps({**said, "files": listed})}.items():
            made.writestr(path, content)
    return sink.getvalue()


def in_lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in rows)


def kill(place: Place, up: Up) -> None:
    """Kill the server; the queue is not to wait as long as it does for one that may only be slow."""
    up.kill()
    sql(place, "UPDATE pgqueuer SET heartbeat = now() - interval '1 minute'")
    sql(place, "UPDATE readers SET lease_until = now()")


def test_a_take_out_is_whole_after_kill_9(place: Place) -> None:
    lines = in_lines([{"op": "create", "data": reminder(n)} for n in range(ROWS)])
    with place.up() as up:
        up.become_admin()
        with up.client() as client:
            ndjson = {"content-type": "application/x-ndjson"}
            load = client.post("/v1/reminders:batch", content=lines, headers=ndjson).json()["id"]
            rested(client, f"/v1/operations/{load}", "done")
            takeout = f"/v1/takeouts/{client.post('/v1/takeouts', json={}).json()['id']}"
            wait_until(lambda: (row := now(client, takeout))["status"] == "running" and row["done"])
            kill(place, up)
    with place.up() as up:
        up.sign_in()
        with up.client() as client:
            row = rested(client, takeout, "done")
            content = client.get(f"{takeout}/file").content
            assert (len(content), sha256(content).hexdigest()) == (row["size"], row["sha256"])
            with zipfile.ZipFile(io.BytesIO(content)) as made:
                assert made.testzip() is None
                assert len(made.read("data/reminders.guildhouse.ndjson").splitlines()) == ROWS + 1
            assert [each.name for each in place.data.glob("files/takeouts/*/[!.]*")] == ["000000"]


def test_an_arrival_is_loaded_whole_after_kill_9(place: Place) -> None:
    with place.up() as up:
        up.become_admin()
        with up.client() as client:
            content = archive(client.get("/v1/people:export?format=guildhouse").content, ROWS)
            sent = client.post("/v1/arrivals?name=mina.zip", content=content)
            arrival = f"/v1/arrivals/{sent.json()['id']}"
            judged = rested(client, arrival, "judged")
            assert (judged["faults"], judged["judged"]) == (
                [],
                {"people": {"create": 1}, "reminders": {"create": ROWS}},
            )
            assert client.post(f"{arrival}/apply").status_code == 200
            wait_until(lambda: int(sql(place, AT_WORK)))
            kill(place, up)
            assert sql(place, COUNTS) == "0|0", "it is one transaction, so that nothing of it is known yet"
    with place.up() as up:
        up.sign_in()
        with up.client() as client:
            loaded = rested(client, arrival, "applied")
            assert loaded["written"] == {"people": {"created": 1}, "reminders": {"created": ROWS}}
            assert sql(place, COUNTS) == f"{ROWS}|{ROWS}"
            assert client.post(f"{arrival}/take-back").status_code == 200
            assert rested(client, arrival, "taken_back")["taken_back"]["reminders"] == {"taken_back": ROWS}
            assert sql(place, COUNTS) == f"{ROWS}|0"
