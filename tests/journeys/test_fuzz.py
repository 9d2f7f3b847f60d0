"""The served OpenAPI document, fuzzed by schemathesis against a server process: thousands of requests, no 5xx."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

CREDENTIALS = {"email": "eve@example.org", "password": "correct horse battery staple"}
# They would end the session, the key or the account that the fuzzer itself acts with.
LEFT_OUT = (
    "remove_session",
    "remove_person",
    "remove_api_key",
    "purge_person",
    "undo_person",
    "undo_session",
    "undo_api_key",
)


@pytest.fixture
def served(dsn: str, tmp_path: Path) -> Iterator[str]:
    """The address of a server process on a fresh database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": dsn, "GUILDHOUSE_DATA": str(tmp_path), "GUILDHOUSE_LIMITS": "0"}
    command = [sys.executable, "-m", "guildhouse", "up", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            httpx2.get(f"{address}/health")
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not start")


def key_of(address: str) -> str:
    """An API key of a new person."""
    httpx2.post(f"{address}/v1/people", json={**CREDENTIALS, "name": "Eve"}).raise_for_status()
    token = httpx2.post(f"{address}/v1/sessions", json=CREDENTIALS).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    made = httpx2.post(f"{address}/v1/api-keys", json={"name": "fuzz", "permissions": ["*"]}, headers=headers)
    return str(made.json()["key"])


# Every door is tried with made-up requests. The thousands that are written from the schemas, bound by bound, go to the
# doors of one resource, one of each kind: all the others are served by the same code.
@pytest.mark.parametrize(
    "chosen",
    [
        ("--phases", "examples,fuzzing", "--max-examples", "3"),
        ("--phases", "coverage", "--include-path-regex", r"^/v1/jobs(:batch|:export|/\{id\}(/publish|/undo)?)?$"),
    ],
    ids=["made up", "bound by bound"],
)
def test_no_request_that_the_document_allows_or_forbids_breaks_the_server(served: str, chosen: list[str]) -> None:
    key = key_of(served)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served}/openapi.json", "--no-color", *chosen]
    command += ["--header", f"Authorization: Bearer {key}", "--checks", "not_a_server_error", "--seed", "7"]
    command += ["--continue-on-failure", "--generation-database", "none"]
    for operation in LEFT_OUT:
        command += ["--exclude-operation-id", operation]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    tested = re.search(r"(\d+) generated, (\d+) passed", result.stdout)
    assert tested and int(tested[1]) == int(tested[2]) > 500, result.stdout[-3000:]
    assert httpx2.get(f"{served}/v1/people", headers={"Authorization": f"Bearer {key}"}).status_code == 200
