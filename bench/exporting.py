"""Exporting: a whole list over HTTP against PostgreSQL's own `COPY ... TO STDOUT` of the same rows, read by the driver.

    python -m bench.exporting [--jobs 100000] [--times 3]

The aim: at least half of COPY's rows in a second, for CSV and for NDJSON, with memory that does not grow with the list.
"""

import argparse
import asyncio
import http.client
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench import meter
from bench.__main__ import GUILDHOUSE, server, wait_for_index
from bench.prepare import prepare
from guildhouse.jobs.job import jobs
from guildhouse.kernel.db import SESSION
from guildhouse.kernel.embedded import Embedded

COLUMNS = ", ".join(f'"{name}"' for name in jobs.readable)
SAME_QUERY = f"SELECT {COLUMNS} FROM jobs WHERE deleted_at IS NULL ORDER BY posted_at DESC, id DESC"
PIECE = 1 << 18
AIM = 0.5


@dataclass(frozen=True)
class Took:
    """The best of some runs: seconds, megabytes, and the CPU seconds of PostgreSQL and of who asked it."""

    seconds: float
    megabytes: float
    cpu: float


def best(run: Callable[[], int], cpu: Callable[[], float], times: int) -> Took:
    """Run something some times; it returns how many bytes came."""
    found = []
    for _ in range(times):
        spent, start = cpu(), time.perf_counter()
        size = run()
        found.append(Took(time.perf_counter() - start, size / 1e6, cpu() - spent))
    return min(found, key=lambda each: each.seconds)


async def copied(dsn: str, query: str) -> int:
    """COPY of a query, thrown away as it comes; says how many bytes."""
    connection, size = await asyncpg.connect(dsn, server_settings=SESSION), 0

    async def count(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    try:
        await connection.copy_from_query(query, output=count, format="csv")
    finally:
        await connection.close()
    return size


def exported(token: str, query: str) -> int:
    """A whole list over HTTP, thrown away as it comes; says how many bytes."""
    connection, size = http.client.HTTPConnection(*GUILDHOUSE), 0
    connection.request("GET", f"/v1/jobs:export?{query}", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    while piece := answer.read(PIECE):
        size += len(piece)
    return size


def peak(pid: int) -> float:
    """The most memory that a process has had, in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def main() -> None:
    """Prepare a database, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="guildhouse-bench-"))
    place.chmod(0o711)
    with Embedded(place) as dsn:
        prepared = asyncio.run(prepare(dsn, options.jobs))
        postmaster = int(next(place.glob("postgres-*/postmaster.pid")).read_text().split()[0])
        settings = {"DATABASE_URL": dsn, "GUILDHOUSE_DATA": str(place), "GUILDHOUSE_LIMITS": "10000"}
        with server(["-m", "guildhouse", "up", "--port", str(GUILDHOUSE[1])], GUILDHOUSE[1], **settings) as pid:
            wait_for_index(GUILDHOUSE, prepared.token)
            meter.settle(pid, postmaster)
            compare(dsn, prepared.token, pid, postmaster, options.jobs, options.times)


def compare(dsn: str, token: str, pid: int, postmaster: int, rows: int, times: int) -> None:
    """Print the table."""
    exported(token, "format=csv&fields=id")

    def of_copy() -> float:
        return time.process_time() + meter.total([postmaster, *meter.children(postmaster)])

    whole = best(lambda: asyncio.run(copied(dsn, f"SELECT {COLUMNS} FROM jobs")), of_copy, times)
    same = best(lambda: asyncio.run(copied(dsn, SAME_QUERY)), of_copy, times)
    before = peak(pid)
    print(f"{'':<22}{'rows / s':>10}{'MB':>8}{'CPU s':>8}{'of COPY':>10} aim {AIM}")
    for name, took in {"COPY of the table": whole, "COPY of the query": same}.items():
        print(f"{name:<22}{rows / took.seconds:>10.0f}{took.megabytes:>8.0f}{took.cpu:>8.2f}")
    for form in ("csv", "ndjson", "json"):
        took = best(lambda form=form: exported(token, f"format={form}"), lambda: meter.cpu(pid, postmaster), times)  # type: ignore[misc]
        ratio = same.seconds / took.seconds
        print(f"{form:<22}{rows / took.seconds:>10.0f}{took.megabytes:>8.0f}{took.cpu:>8.2f}{ratio:>10.2f}")
    print(f"memory of the server: {before:.0f} MB before, {peak(pid):.0f} MB at most")


if __name__ == "__main__":
    main()
