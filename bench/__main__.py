"""Run the bench: `python -m bench [--jobs 100000]`. It prints ratios of one run; absolute times are this machine's."""

import argparse
import asyncio
import http.client
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench import meter
from bench.cases import Case, batch, cases
from bench.following import latencies
from bench.load import Request, Result, run
from bench.prepare import DEEP, Prepared, example, prepare
from guildhouse.kernel.embedded import Embedded

GUILDHOUSE, LIMIT = ("127.0.0.1", 8101), ("127.0.0.1", 8102)
CONNECTIONS = 8
LOAD = 12_000


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds of a request: in the server, and in PostgreSQL."""

    server: float
    database: float

    @property
    def total(self) -> float:
        """Both."""
        return self.server + self.database

    def __str__(self) -> str:
        return f"{self.total:.3f} ({self.server:.2f} + {self.database:.2f})"


@contextmanager
def server(arguments: list[str], port: int, **environment: str) -> Iterator[int]:
    """A server process; its id, once it answers."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int) -> None:
    """Until something listens."""
    for _ in range(900):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"nothing listens on port {port}")


def measured(
    pid: int, postmaster: int, address: tuple[str, int], make: Request, count: int, *, bulk: bool
) -> tuple[Cost, Result]:
    """CPU a request, and what the load saw; a tenth of the requests goes before, to warm up.

    What follows from writes goes on after the answers: of `bulk` requests it is all waited for, and counted.
    """
    run(address, lambda n: make(n + 1_000_000), max(CONNECTIONS, count // 10), CONNECTIONS)
    if bulk:
        meter.settle(pid, postmaster)
    before, own = meter.cpu(pid, postmaster), meter.seconds(pid)
    result = run(address, lambda n: make(n + 2_000_000), count, CONNECTIONS)
    if bulk:
        meter.settle(pid, postmaster)
    own = meter.seconds(pid) - own
    return Cost(own / count * 1000, (meter.cpu(pid, postmaster) - before - own) / count * 1000), result


def compare(case: Case, ours: int, bare: int, postmaster: int) -> str:
    """One line of the table."""
    bulk = case.rows > 1
    our_cost, our_load = measured(ours, postmaster, GUILDHOUSE, case.ours, case.count, bulk=bulk)
    bare_cost, bare_load = measured(bare, postmaster, LIMIT, case.bare, case.count, bulk=bulk)
    aim = f"<= {case.target}" if case.target else ""
    return (
        f"{case.name:<18}{bare_cost!s:>24}{our_cost!s:>24}{our_cost.total / bare_cost.total:>8.2f} {aim:<8}"
        f"{bare_load.per_second * case.rows:>10.0f}{our_load.per_second * case.rows:>10.0f}"
        f"{our_load.per_second / bare_load.per_second:>8.0%}"
    )


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, token: str, body: bytes = b""
) -> dict[str, object]:
    """One request of the bench's own, outside of what is measured."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    connection.request(method, path, body or None, headers)
    found: dict[str, object] = orjson.loads(connection.getresponse().read())
    return found


def walk(token: str, pages: int) -> str:
    """The cursor behind some pages of the list of jobs, got as a client gets it."""
    connection, cursor = http.client.HTTPConnection(*GUILDHOUSE), ""
    for _ in range(pages):
        page = ask(connection, "GET", "/v1/jobs" + (f"?cursor={cursor}" if cursor else ""), token)["page"]
        cursor = page["next"]  # type: ignore[index]
    return cursor


def wait_for_index(address: tuple[str, int], token: str) -> None:
    """Until searches are answered by the index: to build it is the start's work, and no request's."""
    connection = http.client.HTTPConnection(*address)
    while ask(connection, "GET", "/ready", token)["checks"]["search"]["detail"]["engine"] != "index":  # type: ignore[index]
        time.sleep(0.5)


def load(prepared: Prepared) -> str:
    """12,000 rows as one NDJSON body, until its operation is done; the limit writes them in twelve batches."""
    lines = [orjson.dumps(example(n + 5_000_000, prepared.organization_id)) for n in range(LOAD)]
    connection, start = http.client.HTTPConnection(*GUILDHOUSE), time.perf_counter()
    operation = ask(connection, "POST", "/v1/jobs:batch", prepared.token, b"\n".join(lines))
    while not operation["finished_at"]:
        time.sleep(0.05)
        operation = ask(connection, "GET", f"/v1/operations/{operation['id']}", prepared.token)
    ours = time.perf_counter() - start
    if operation["created"] != LOAD:
        sys.exit(f"the load went wrong: {operation}")
    thousand = batch("/batch", prepared.organization_id)
    bare = run(LIMIT, lambda n: thousand(n + 9_000), LOAD // 1000, 1).per_second * 1000
    share = LOAD / ours / bare
    return f"{'load of 12,000':<18}{'':>48}{'':>8} {'':<8}{bare:>10.0f}{LOAD / ours:>10.0f}{share:>8.0%}"


def main() -> None:
    """Prepare a database, start both servers, compare them case by case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--scale", type=float, default=1.0, help="how many requests, as a share of the usual")
    parser.add_argument("--only", default="", help="only the cases whose name has this in it")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="guildhouse-bench-"))
    place.chmod(0o711)
    # What cleans up behind writes would be counted with one of the two by chance.
    with Embedded(place, settings={"autovacuum": "off"}) as dsn:
        prepared = asyncio.run(prepare(dsn, options.jobs))
        postmaster = int(next(place.glob("postgres-*/postmaster.pid")).read_text().split()[0])
        settings = {"DATABASE_URL": dsn, "GUILDHOUSE_DATA": str(place), "GUILDHOUSE_LIMITS": "10000"}
        up, limit = ["-m", "guildhouse", "up", "--port", str(GUILDHOUSE[1])], ["-m", "bench.limit", dsn, str(LIMIT[1])]
        with (
            server(up, GUILDHOUSE[1], GUILDHOUSE_LOG_LEVEL="error", **settings) as ours,
            server(limit, LIMIT[1]) as bare,
        ):
            print(
                f"{'':<18}{'CPU ms / request (server + database)':^48}{'':>17}{'requests or rows / s':>20}{'share':>8}"
            )
            print(f"{'':<18}{'limit':>24}{'ours':>24}{'ratio':>8} {'aim':<8}{'limit':>10}{'ours':>10}")
            wait_for_index(GUILDHOUSE, prepared.token)
            cursor = walk(prepared.token, min(DEEP, options.jobs // 2) // 50)
            for case in cases(prepared, cursor, options.scale):
                if options.only in case.name:
                    print(compare(case, ours, bare, postmaster), flush=True)
            if options.only in "load of 12,000":
                print(load(prepared), flush=True)
            took = asyncio.run(latencies(dsn))
            p50, p99 = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
            print(f"commit to a reader in another process: p50 {p50:.1f} ms, p99 {p99:.1f} ms (aim 15 and 50)")


if __name__ == "__main__":
    main()
