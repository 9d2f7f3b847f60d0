"""Importing: a long file through the whole flow (read, judged, applied) against the batch endpoint with the same rows.

    python -m bench.importing [--rows 1000000]

The aims: applied at least half as fast as batches of 1,000 are written, before and after, and never more than 300 MB of
memory over what the server has at rest, its reading process included.
"""

import argparse
import asyncio
import csv
import http.client
import io
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bench import meter
from bench.__main__ import GUILDHOUSE, ask, server
from bench.prepare import example, prepare
from guildhouse.kernel.embedded import Embedded

BATCHES = 20
FIRST = 1_000_000  # the number of the first row; those before are there already
MEMORY = 300  # MB
RESTLESS = ("reading", "judging", "applying")


def row(n: int, organization_id: str) -> dict[str, Any]:
    """A job with a short description, so that a million fit on a disk."""
    found = example(n, organization_id)
    return {**found, "description": found["description"][:200], "skills": ";".join(found["skills"])}


def table(rows: int, organization_id: str) -> Iterator[bytes]:
    """The file, in pieces of a thousand rows."""
    names = list(row(0, organization_id))
    for first in range(0, rows, 1000):
        piece = io.StringIO()
        writer = csv.DictWriter(piece, names)
        if first == 0:
            writer.writeheader()
        writer.writerows(row(FIRST + n, organization_id) for n in range(first, min(rows, first + 1000)))
        yield piece.getvalue().encode()


def resident(pid: int) -> float:
    """Megabytes in memory of a process and of those it has started."""
    found = 0.0
    for each in [pid, *meter.children(pid)]:
        try:
            lines = Path(f"/proc/{each}/status").read_text().splitlines()
        except OSError:
            continue
        found += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
    return found


class Highest(threading.Thread):
    """Looks at the memory of a server again and again; `most` is what it saw."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.most, self.rest = pid, 0.0, resident(pid)

    def run(self) -> None:
        """Until the bench ends."""
        while True:
            self.most = max(self.most, resident(self.pid))
            time.sleep(0.2)


def batches(token: str, organization_id: str, first: int) -> float:
    """Rows a second by batches of a thousand."""
    connection, rows = http.client.HTTPConnection(*GUILDHOUSE), 1000
    bodies = []
    for n in range(BATCHES):
        data = [row(first + n * rows + i, organization_id) for i in range(rows)]
        ops = [{"op": "upsert", "data": {**each, "skills": each["skills"].split(";")}} for each in data]
        bodies.append(orjson.dumps({"ops": ops}))
    start = time.perf_counter()
    for body in bodies:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/jobs:batch", body, headers)
        answer = orjson.loads(connection.getresponse().read())
        assert answer["created"] == rows, answer
    return BATCHES * rows / (time.perf_counter() - start)


def rested(token: str, import_id: str) -> dict[str, Any]:
    """The import, once nothing works on it."""
    connection = http.client.HTTPConnection(*GUILDHOUSE)
    while True:
        found: dict[str, Any] = ask(connection, "GET", f"/v1/imports/{import_id}", token)
        if found["status"] not in RESTLESS:
            return found
        time.sleep(0.5)


def brought(token: str, organization_id: str, rows: int) -> dict[str, float]:
    """The seconds of each part of an import of so many rows; every row must have gone in."""
    took, connection = dict[str, float](), http.client.HTTPConnection(*GUILDHOUSE)

    def part(name: str, start: float) -> dict[str, Any]:
        found = rested(token, import_id)
        took[name] = time.perf_counter() - start
        print(f"  {name}: {took[name]:.0f} s, {rows / took[name]:.0f} rows / s", flush=True)
        return found

    start = time.perf_counter()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    connection.request("POST", "/v1/imports?resource=jobs&name=many.csv", table(rows, organization_id), headers)
    import_id = orjson.loads(connection.getresponse().read())["id"]
    part("sent and read", start)
    for verb, name in (("judge", "judged"), ("apply", "applied")):
        start = time.perf_counter()
        ask(http.client.HTTPConnection(*GUILDHOUSE), "POST", f"/v1/imports/{import_id}/{verb}", token)
        found = part(name, start)
    assert found["written"] == {"created": rows}, found
    return took


def main() -> None:
    """Prepare a database that is all but empty, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    place = Path(tempfile.mkdtemp(prefix="guildhouse-bench-"))
    place.chmod(0o711)
    with Embedded(place) as dsn:
        prepared = asyncio.run(prepare(dsn, 1000))
        settings = {"DATABASE_URL": dsn, "GUILDHOUSE_DATA": str(place), "GUILDHOUSE_LIMITS": "10000"}
        up = ["-m", "guildhouse", "up", "--port", str(GUILDHOUSE[1])]
        with server(up, GUILDHOUSE[1], GUILDHOUSE_LOG_LEVEL="error", **settings) as pid:
            before = batches(prepared.token, prepared.organization_id, 5_000_000)
            memory = Highest(pid)
            memory.start()
            took = brought(prepared.token, prepared.organization_id, rows)
            after = batches(prepared.token, prepared.organization_id, 6_000_000)
            applied = rows / took["applied"]
            print(f"batches: {before:.0f} rows / s before, {after:.0f} after")
            print(
                f"applied: {applied:.0f} rows / s, {applied / before:.2f} and {applied / after:.2f} of them (aim 0.5)"
            )
            more = memory.most - memory.rest
            print(f"memory: {memory.rest:.0f} MB at rest, {more:.0f} MB more at most (aim {MEMORY})")


if __name__ == "__main__":
    main()
