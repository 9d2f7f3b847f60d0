"""Real processes: the commands as one types them, servers that are started and killed, and what clients see meanwhile."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Client, HTTPError, Response

from guildhouse.__main__ import main
from guildhouse.commands.joining import cluster_of
from guildhouse.kernel.embedded import Embedded, binary

PASSWORD = "correct horse battery staple"
PATIENCE = 90  # seconds: other tests take their share of the machine


@dataclass
class Place:
    """A data directory, and the commands on it."""

    data: Path

    def environment(self, **settings: str) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("GUILDHOUSE_", "DATABASE_"))
        }
        return {**inherited, "GUILDHOUSE_DATA": str(self.data), "GUILDHOUSE_LIMITS": "0", **settings}

    def run(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "guildhouse", *arguments],
            env=self.environment(**settings),
            cwd=self.data.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def done(self, *arguments: str, **settings: str) -> str:
        """Run a command that must succeed; what it says."""
        finished = self.run(*arguments, **settings)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    @contextmanager
    def up(self, *arguments: str, **settings: str) -> Iterator["Up"]:
        """A server that has said where it is; killed at the end, if it still runs."""
        words = self.data.parent / f"words-{time.monotonic_ns()}"
        with words.open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "guildhouse", "up", "--port", "0", *arguments],
                env=self.environment(**settings),
                cwd=self.data.parent,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Up(process, words)
        finally:
            process.kill()
            process.wait()

    def postmaster(self) -> int:
        """The process id of the PostgreSQL of this directory."""
        return int((cluster_of(self.data) / "postmaster.pid").read_text().splitlines()[0])

    def is_stopped(self) -> bool:
        return not (cluster_of(self.data) / "postmaster.pid").exists()

    def stop_postgres(self) -> None:
        """Stop a PostgreSQL whose users were all killed, before its files go."""
        if not self.is_stopped():
            with Embedded(self.data):
                pass


@dataclass
class Up:
    """A server at work; `words` is the file that holds what it says."""

    process: "subprocess.Popen[bytes]"
    words: Path
    token: str = ""

    def heard(self, pattern: str) -> str:
        """Wait until it says something; the part in brackets."""
        wait_until(lambda: self.process.poll() is not None or re.search(pattern, self.words.read_text()))
        found = re.search(pattern, self.words.read_text())
        assert found, self.words.read_text()
        return found[1]

    @property
    def address(self) -> str:
        return self.heard(r" is at (\S+) \(")

    @property
    def link(self) -> str:
        """The link for the first admin."""
        return self.heard(r"  (http\S+/first-admin\S+)\n")

    def client(self) -> Client:
        """An HTTP client, signed in once there is an admin."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return Client(base_url=self.address, headers=headers, timeout=30)

    def become_admin(self) -> None:
        """Make the first admin, and sign in as them."""
        form = {
            "token": self.link.partition("token=")[2],
            "email": "ada@example.org",
            "name": "Ada",
            "password": PASSWORD,
        }
        with self.client() as client:
            assert client.post("/first-admin", data=form).status_code == 201
        self.sign_in()

    def sign_in(self) -> None:
        with self.client() as client:
            answer = client.post("/v1/sessions", json={"email": "ada@example.org", "password": PASSWORD})
            assert answer.status_code == 201, answer.text
            self.token = answer.json()["access_token"]

    def stop(self, sign: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(sign)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Writer:
    """Writes jobs one after the other; remembers the ids that were acknowledged, and what else was answered."""

    up: Up
    acknowledged: list[str] = field(default_factory=list)
    refused: list[Response] = field(default_factory=list)
    lost: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def write(self, client: Client) -> None:
        try:
            answer = client.post("/v1/jobs", json={"title": f"Job {len(self.acknowledged)}"})
        except HTTPError:
            self.lost += 1
            time.sleep(0.05)
            return
        if answer.status_code == 201:
            self.acknowledged.append(answer.json()["id"])
        else:
            self.refused.append(answer)
            time.sleep(0.05)

    def run(self) -> None:
        with self.up.client() as client:
            while not self.over.is_set():
                self.write(client)

    @contextmanager
    def at_work(self) -> Iterator["Writer"]:
        """Write while the block runs."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            thread.join()

    def wait_for(self, more: int) -> None:
        """Until so many more were acknowledged."""
        wanted = len(self.acknowledged) + more
        wait_until(lambda: len(self.acknowledged) >= wanted)


def wait_until(true: Any, patience: float = PATIENCE) -> None:
    """Until something is true."""
    until = time.monotonic() + patience
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def words_of(*arguments: str, **settings: str) -> str:
    """What a command says that cannot do what it is asked to; in this process, which is quicker."""
    said = StringIO()
    before = dict(os.environ)
    handler = signal.getsignal(signal.SIGTERM)
    os.environ.update(settings)
    try:
        with redirect_stderr(said), pytest.raises(SystemExit) as ended:
            main([*arguments])
    finally:
        os.environ.clear()
        os.environ.update(before)
        signal.signal(signal.SIGTERM, handler)
    assert ended.value.code == 1, said.getvalue()
    return said.getvalue()


def copy(made: Path, to: Path) -> None:
    """A copy of a data directory, owners included."""
    subprocess.run(["cp", "-a", str(made), str(to)], check=True)


def sql(place: Place, statement: str) -> str:
    """What psql says, on a PostgreSQL that runs."""
    socket = cluster_of(place.data).with_name(f"{cluster_of(place.data).name}.socket")
    return psql(f"postgresql:///guildhouse?host={socket}&user=guildhouse", statement)


def psql(dsn: str, statement: str) -> str:
    """What psql says."""
    command = [str(binary("psql")), dsn, "-XAtqc", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# Rather than to wait until the leases of a killed process run out, which an operation does in its journey.
BURY = "UPDATE readers SET lease_until = now(); UPDATE pgqueuer SET heartbeat = now() - interval '1 minute'"
