"""CPU time of processes, from /proc: what a request costs, however busy the machine is."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on; an empty list for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def children(parent: int) -> list[int]:
    """The direct children of a process."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if (fields := stat(pid)) and int(fields[1]) == parent]


def seconds(pid: int) -> float:
    """CPU seconds of a process and of its children that have ended."""
    fields = stat(pid)
    return sum(int(each) for each in fields[11:15]) / TICK if fields else 0.0


def cpu(server: int, postmaster: int) -> float:
    """CPU seconds so far of a server and of all of PostgreSQL."""
    return total([server, postmaster, *children(postmaster)])


def total(pids: Iterable[int]) -> float:
    """CPU seconds so far of some processes."""
    return sum(seconds(pid) for pid in pids)


def settle(server: int, postmaster: int, patience: float = 60.0) -> None:
    """Wait until nothing is left of what follows from writes: a server that idles takes some 3 % of a core.

    For three seconds in a row: what gives way to others takes as little in one where they are busy.
    """
    deadline, before, still = time.monotonic() + patience, cpu(server, postmaster), 0
    while still < 3 and time.monotonic() < deadline:
        time.sleep(1)
        now = cpu(server, postmaster)
        still = still + 1 if now - before < 0.1 else 0
        before = now
