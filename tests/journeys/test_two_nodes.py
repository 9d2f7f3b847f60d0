"""Two servers with nothing in common but a database and a bucket: what one begins, the other does, tells, and stops."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from httpx2 import Client

from tests.commands.processes import Place, wait_until
from tests.journeys.test_operation_killed import EVENTS, followed, now
from tests.object_storage import BUCKET, ObjectStorage

NDJSON = {"content-type": "application/x-ndjson"}
MANY = 12_000


@contextmanager
def two_nodes(dsn: str, directory: Path, storage: ObjectStorage) -> Iterator[tuple[Client, Client]]:
    """Clients of a server that works off no tasks, and of another one that does, both the admin's."""
    shared = {f"GUILDHOUSE_{name.upper()}": value for name, value in storage.settings.items()}
    shared |= {"DATABASE_URL": dsn, "GUILDHOUSE_FILES": f"s3://{BUCKET}/nodes"}
    front, back = Place(directory / "front"), Place(directory / "back")
    with front.up(GUILDHOUSE_WORKERS="none", **shared) as one:
        one.become_admin()
        with back.up(**shared) as other:
            other.token = one.token
            with one.client() as ours, other.client() as theirs:
                yield ours, theirs
            assert (one.stop(), other.stop()) == (0, 0)


def lines(count: int) -> bytes:
    made = ({"op": "create", "data": {"text": f"Call {n}", "due_at": "2030-01-01T08:00:00Z"}} for n in range(count))
    return b"".join(orjson.dumps(each) + b"\n" for each in made)


def exported(client: Client) -> str:
    """The file of an export of all jobs."""
    address = f"/v1/exports/{client.post('/v1/exports', json={'resource': 'jobs', 'format': 'csv'}).json()['id']}"
    wait_until(lambda: client.get(address).json()["status"] == "done")
    return client.get(f"{address}/file").text


@contextmanager
def listening(client: Client, path: str, word: str) -> Iterator[None]:
    """Follow a row from before the block; the word comes in its events before long."""
    begun, heard = threading.Event(), threading.Event()

    def follow() -> None:
        with client.stream("GET", path, headers=EVENTS) as stream:
            for line in stream.iter_lines():
                begun.set()
                if word in line:
                    heard.set()
                    break

    listener = threading.Thread(target=follow, daemon=True)
    listener.start()
    assert begun.wait(10)
    yield
    assert heard.wait(10)
    listener.join()


def test_what_one_node_begins_the_other_does_tells_and_stops(
    dsn: str, tmp_path: Path, object_storage: ObjectStorage
) -> None:
    with two_nodes(dsn, tmp_path, object_storage) as (front, back):
        # Who follows at the node that does nothing of it hears of it all the same, and can stop it there.
        heard: list[dict[str, int]] = []
        load = front.post("/v1/reminders:batch", content=lines(MANY), headers=NDJSON).json()["id"]
        listener = threading.Thread(target=lambda: heard.extend(followed(front, load)))
        listener.start()
        wait_until(lambda: now(front, load)["written"])
        assert front.post(f"/v1/operations/{load}/cancel").status_code == 200
        listener.join(30)
        *progress, stopped, end = heard
        assert (stopped["status"], end) == ("cancelled", {"why": "over"})
        assert 0 < stopped["written"] < MANY == stopped["written"] + stopped["remaining"]
        assert [each["written"] for each in progress] == sorted(each["written"] for each in progress)
        assert now(back, load) == now(front, load)

        made = front.post("/v1/jobs", json={"title": "Cartographer"})
        for node in (front, back):  # each has an index of its own
            seen = {"wait-for": made.headers["log-position"]}
            found = node.get("/v1/jobs?q=cartographer", headers=seen).json()["data"]
            assert [each["title"] for each in found] == ["Cartographer"]
            assert "Cartographer" in exported(node)
        with listening(back, made.headers["location"], "Mapmaker"):
            assert front.patch(made.headers["location"], json={"title": "Mapmaker"}).status_code == 200
