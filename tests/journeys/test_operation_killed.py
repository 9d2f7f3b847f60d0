"""Operations on a real server that is killed in the middle, and stopped while somebody follows: none is lost or doubled."""

import threading
import time
from typing import Any

import orjson
from httpx2 import Client, HTTPError

from tests.commands.processes import Place, Up, sql, wait_until

ROWS = 8_000
VERSIONS = "SELECT count(*), max(version), min(version) FROM reminders"
EVENTS = {"accept": "text/event-stream"}


def now(client: Client, operation_id: str) -> dict[str, Any]:
    row: dict[str, Any] = client.get(f"/v1/operations/{operation_id}").json()
    return row


def followed(client: Client, operation_id: str, **headers: str) -> list[dict[str, Any]]:
    """The events of an operation, to the end of the stream."""
    found: list[dict[str, Any]] = []
    with client.stream("GET", f"/v1/operations/{operation_id}", headers={**EVENTS, **headers}) as stream:
        assert stream.status_code == 200
        found.extend(orjson.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
    return found


def test_what_is_done_to_all_rows_of_a_filter_goes_on_after_kill_9_and_is_taken_back(migrated: Place) -> None:
    lines = b"".join(
        orjson.dumps({"op": "create", "data": {"text": f"Call {n}", "due_at": "2030-01-01T08:00:00Z"}}) + b"\n"
        for n in range(ROWS)
    )
    body = {"filter": {}, "op": "change", "data": {"due_at": "2031-01-01T00:00:00Z"}}
    headers = {"prefer": f"max-affected={ROWS}", "idempotency-key": "later"}
    with migrated.up() as up:
        up.become_admin()
        with up.client() as client:
            ndjson = {"content-type": "application/x-ndjson"}
            load = client.post("/v1/reminders:batch", content=lines, headers=ndjson).json()["id"]
            *_, last, end = followed(client, load)
            assert (last["status"], last["written"], last["remaining"], end) == ("done", ROWS, 0, {"why": "over"})
            selection = client.post("/v1/reminders:batch", json=body, headers=headers).json()["id"]
            wait_until(lambda: now(client, selection)["written"])
            up.kill()
    with migrated.up() as up:
        up.sign_in()
        with up.client() as client:
            assert client.post("/v1/reminders:batch", json=body, headers=headers).json()["id"] == selection
            wait_until(lambda: now(client, selection)["status"] == "done")
            assert now(client, selection)["written"] == ROWS
            assert sql(migrated, VERSIONS) == f"{ROWS}|2|2"
            undo = client.post(f"/v1/operations/{selection}/take-back").json()["id"]
            assert followed(client, undo)[-2]["changed"] == ROWS
            assert sql(migrated, VERSIONS) == f"{ROWS}|3|3"
            assert up_stops_at_once(up, client)


def up_stops_at_once(up: Up, client: Client) -> bool:
    """Whether a server that is asked to stop ends the streams of those who follow something, and goes."""
    job = client.post("/v1/jobs", json={"title": "Followed"}).json()["id"]
    begun, ended = threading.Event(), threading.Event()

    def follow() -> None:
        try:
            with client.stream("GET", f"/v1/jobs/{job}", headers=EVENTS) as stream:
                for line in stream.iter_lines():
                    if line.startswith("data: "):
                        begun.set()
        except HTTPError:
            return  # cut off, not ended
        ended.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert begun.wait(10)
    start = time.monotonic()
    assert up.stop() == 0
    thread.join()
    return ended.is_set() and time.monotonic() - start < 8
