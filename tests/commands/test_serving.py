"""Serving, as whoever starts, uses, stops and kills it sees it: real processes, real signals, real data on a real disk."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from os import kill
from pathlib import Path

import pytest

from tests.commands.processes import PASSWORD, Place, Writer, copy, sql, wait_until, words_of


@pytest.fixture(scope="module")
def made(data_made: Path) -> Iterator[Path]:
    """A data directory with a migrated database and an admin, of a server that was stopped."""
    directory = Path(tempfile.mkdtemp(prefix="serving-"))
    directory.chmod(0o711)
    place = Place(directory / "data")
    copy(data_made, place.data)
    with place.up() as up:
        up.become_admin()
        assert up.stop() == 0
    yield place.data
    shutil.rmtree(directory)


@pytest.fixture
def ready(place: Place, made: Path) -> Place:
    """A data directory with an admin."""
    copy(made, place.data)
    return place


def test_up_on_nothing_prints_a_link_that_makes_the_admin_exactly_once(place: Place) -> None:
    with place.up() as up, up.client() as client:
        link, form = up.link, {"email": "ada@example.org", "name": "Ada", "password": PASSWORD}
        assert "<form" in client.get(link).text
        assert client.post("/first-admin", data={**form, "token": "guessed"}).status_code == 404
        token = link.partition("token=")[2]
        assert client.post("/first-admin", data={**form, "token": token}).status_code == 201
        assert client.get(link).status_code == 404
        assert client.post("/first-admin", data={**form, "token": token, "email": "eve@example.org"}).status_code == 404
        up.sign_in()
        with up.client() as ada:
            assert [each["role"] for each in ada.get("/v1/people").json()["data"]] == ["admin"]
        assert up.stop() == 0
    with place.up() as up:
        up.heard(r"(Stop it with Ctrl-C)")
        assert up.stop() == 0
        assert "first-admin" not in up.words.read_text()


def test_what_was_acknowledged_survives_kill_9_in_the_middle_of_writing(ready: Place) -> None:
    with ready.up() as up:
        up.sign_in()
        with Writer(up).at_work() as writer:
            writer.wait_for(50)
            up.kill()
    with ready.up() as up:
        up.sign_in()
        with up.client() as client:
            answers = [client.get(f"/v1/jobs/{each}").status_code for each in writer.acknowledged]
            assert client.post("/v1/jobs", json={"title": "After"}).status_code == 201
        assert answers == [200] * len(answers) and len(answers) >= 50
        assert up.stop() == 0
    assert "whole and unaltered" in ready.done("audit", "verify")


def test_requests_are_told_to_try_again_while_postgresql_is_down_and_then_succeed(ready: Place) -> None:
    with ready.up() as up:
        up.sign_in()
        with Writer(up).at_work() as writer:
            writer.wait_for(5)
            kill(ready.postmaster(), signal.SIGKILL)
            wait_until(lambda: writer.refused)
            writer.wait_for(5)
        assert {answer.status_code for answer in writer.refused} == {503}
        assert all(answer.headers["content-type"] == "application/problem+json" for answer in writer.refused)
        assert "retry-after" in writer.refused[0].headers
        assert writer.lost == 0
        with up.client() as client:
            assert {client.get(f"/v1/jobs/{each}").status_code for each in writer.acknowledged} == {200}
            wait_until(lambda: client.get("/ready").json()["status"] == "pass")
        assert up.stop() == 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_within_seconds_also_with_a_connection_kept_open(ready: Place, sign: signal.Signals) -> None:
    with ready.up() as up, up.client() as client:
        assert client.get("/health").status_code == 200
        began = time.monotonic()
        assert up.stop(sign) == 0
        assert time.monotonic() - began < 15
        assert up.words.read_text().endswith("Stopped.\n")
    assert ready.is_stopped()


def test_asked_to_go_while_it_starts_it_leaves_no_postgresql_behind(place: Place) -> None:
    with place.up() as up:
        wait_until(lambda: not place.is_stopped() or up.process.poll() is not None)
        assert up.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        assert "Traceback" not in up.words.read_text()
    assert place.is_stopped()


def test_requests_under_way_are_answered_before_it_goes(ready: Place) -> None:
    credentials = {"email": "ada@example.org", "password": PASSWORD}
    with ready.up() as up, ThreadPoolExecutor(4) as pool:
        up.sign_in()
        with Writer(up).at_work() as writer:
            writer.wait_for(5)
            # A sign-in takes long, because of its password: these are under way when the signal comes.
            clients = [up.client() for _ in range(4)]
            under_way = [pool.submit(each.post, "/v1/sessions", json=credentials) for each in clients]
            time.sleep(0.15)
            assert up.stop(signal.SIGTERM) == 0
        assert [each.result().status_code for each in under_way] == [201] * 4
    with ready.up() as up:
        up.sign_in()
        with up.client() as client:
            assert {client.get(f"/v1/jobs/{each}").status_code for each in writer.acknowledged} == {200}


def test_two_servers_share_one_data_directory(ready: Place) -> None:
    with ready.up() as first, ready.up() as second:
        first.sign_in()
        second.token = first.token
        with first.client() as one, second.client() as other:
            written = one.post("/v1/jobs", json={"title": "Shared"})
            read = other.get(written.headers["location"], headers={"Wait-For": written.headers["log-position"]})
            assert read.json()["title"] == "Shared"
            assert first.stop() == 0
            assert not ready.is_stopped()
            assert other.post("/v1/jobs", json={"title": "Alone"}).status_code == 201
            wait_until(
                lambda: sql(ready, "SELECT count(*) FROM changes WHERE seq > (SELECT max(seq) FROM change_pos)") == "0"
            )
        assert second.stop() == 0
    assert ready.is_stopped()


def test_a_port_in_use_is_said_in_words(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = words_of("up", "--port", port, GUILDHOUSE_DATA=str(place.data))
    assert f"Cannot listen on 127.0.0.1:{port}" in said and "GUILDHOUSE_PORT" in said
    assert not place.data.exists()


def test_a_data_directory_that_cannot_be_made_is_said_in_words() -> None:
    assert "/proc/guildhouse" in words_of("up", "--port", "0", GUILDHOUSE_DATA="/proc/guildhouse")


def test_a_file_in_the_way_of_the_data_directory_is_said_in_words(place: Place) -> None:
    place.data.write_text("in the way")
    assert "is in the way" in words_of("up", "--port", "0", GUILDHOUSE_DATA=str(place.data))


def test_all_wrong_settings_are_said_at_once() -> None:
    said = words_of("up", GUILDHOUSE_PORT="many", GUILDHOUSE_POOL="0")
    assert "GUILDHOUSE_PORT" in said and "GUILDHOUSE_POOL" in said


def test_a_database_that_cannot_be_reached_is_said_in_words_without_its_password() -> None:
    said = words_of("up", "--port", "0", DATABASE_URL="postgresql://ada:secret@127.0.0.1:1/guildhouse")
    assert "postgresql://ada@127.0.0.1:1/guildhouse" in said and "secret" not in said


def test_serve_refuses_a_database_that_is_not_up_to_date_and_up_migrates_it(ready: Place) -> None:
    assert "0001" in ready.done("migrate", "back", "0001", "--yes")
    assert "guildhouse migrate" in words_of("serve", "--port", "0", GUILDHOUSE_DATA=str(ready.data))
    with ready.up() as up:
        assert up.link
        assert up.stop() == 0


THREADS = """
import ctypes, sys, threading
from guildhouse.commands.serving import keep_heaps_few

if "few" in sys.argv:
    keep_heaps_few()
gate = threading.Barrier(9)
kept = []

def allocate():
    gate.wait()  # all at once, so that each would get a heap of its own
    kept.append([bytes(1000 + n) for n in range(2000)])
    gate.wait()

for _ in range(8):
    threading.Thread(target=allocate).start()
gate.wait()
gate.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def test_threads_share_heaps() -> None:
    def heaps(*arguments: str) -> int:
        command = [sys.executable, "-c", THREADS, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("<heap nr=")

    assert heaps("few") <= 2 < heaps()
