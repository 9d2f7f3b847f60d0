"""An import on a real server that is killed in the middle: it goes on, no row is lost or doubled, and all is taken back."""

from typing import Any

from httpx2 import Client

from tests.commands.processes import BURY, Place, sql, wait_until

ROWS = 2_500
COUNTS = "SELECT count(*), count(DISTINCT external_id), count(*) FILTER (WHERE deleted_at IS NULL) FROM jobs"


def now(client: Client, import_id: str) -> dict[str, Any]:
    row: dict[str, Any] = client.get(f"/v1/imports/{import_id}").json()
    return row


def asked(client: Client, import_id: str, verb: str, status: str) -> dict[str, Any]:
    """The import after a verb, once the work is done."""
    assert client.post(f"/v1/imports/{import_id}/{verb}").status_code == 200
    wait_until(lambda: now(client, import_id)["status"] == status)
    return now(client, import_id)


def test_an_import_goes_on_after_kill_9(migrated: Place) -> None:
    text = "title,external_id,source\n" + "".join(f"Job {n},{n},load\n" for n in range(ROWS))
    with migrated.up() as up:
        up.become_admin()
        with up.client() as client:
            organization = client.post("/v1/organizations", json={"name": "Acme"}).json()["id"]
            import_id = client.post("/v1/imports?resource=jobs", content=text.encode()).json()["id"]
            wait_until(lambda: now(client, import_id)["status"] == "ready")
            plan = {"plan": {"constants": {"organization_id": organization}}}
            assert client.patch(f"/v1/imports/{import_id}", json=plan).status_code == 200
            assert asked(client, import_id, "judge", "judged")["judged"] == {"create": ROWS}
            assert client.post(f"/v1/imports/{import_id}/apply").status_code == 200
            wait_until(lambda: now(client, import_id)["written"])
            up.kill()
    sql(migrated, BURY)
    with migrated.up() as up:
        up.sign_in()
        with up.client() as client:
            wait_until(lambda: now(client, import_id)["status"] == "applied")
            assert now(client, import_id)["written"] == {"created": ROWS}
            assert sql(migrated, COUNTS) == f"{ROWS}|{ROWS}|{ROWS}"
            back = asked(client, import_id, "take-back", "taken_back")
            assert back["taken_back"] == {"taken_back": ROWS}
            assert sql(migrated, COUNTS) == f"{ROWS}|{ROWS}|0"
        assert up.stop() == 0
