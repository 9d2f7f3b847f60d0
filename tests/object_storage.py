"""OpenStack Swift, which speaks S3: its four servers in one process, for tests that need storage as it is run out there.

`python -m tests.object_storage DIRECTORY [PORT]` serves the bucket `guild` and says `port N` once it listens. A page of its
lists has 20 names, so that tests come to the second one.
"""

# ruff: noqa: PLC0415, T201 - eventlet has to come first, and its words are what the tests wait for

import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY, SECRET, BUCKET = "guild:ada", "correct-horse", "guild"
PARTS = ("account", "container", "object", "proxy")
COMMON = """[DEFAULT]
swift_dir = {root}
devices = {root}/disks
mount_check = false
fallocate_reserve = 0
"""
STORE = """[pipeline:main]
pipeline = {part}
[app:{part}]
use = egg:swift#{part}
"""
PROXY = """[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth bulk slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_guild_ada = correct-horse .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
max_bucket_listing = 20
""" + "".join(
    f"[filter:{name}]\nuse = egg:swift#{name}\n"
    for name in ("catch_errors", "gatekeeper", "listing_formats", "bulk", "slo")
)


def configure(root: Path, ports: dict[str, int]) -> None:
    """Write what Swift reads: its settings, and the rings that say which disk keeps what (there is one)."""
    from swift.common import utils
    from swift.common.ring import RingBuilder

    (root / "disks" / "one").mkdir(parents=True, exist_ok=True)
    (root / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = tests\n[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    utils.config.SWIFT_CONF_FILE = utils.SWIFT_CONF_FILE = str(root / "swift.conf")
    utils.config.HASH_PATH_SUFFIX = utils.HASH_PATH_SUFFIX = b"tests"
    for part, port in ports.items():
        text = PROXY if part == "proxy" else STORE.format(part=part)
        (root / f"{part}.conf").write_text(COMMON.format(root=root) + text)
        ring = RingBuilder(1, 1, 0)
        ring.add_dev({"region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port, "device": "one"})
        ring.rebalance()
        ring.get_ring().save(str(root / f"{part}.ring.gz"))


def serve(root: Path, port: int) -> None:
    import eventlet

    eventlet.monkey_patch()
    sockets = {part: eventlet.listen(("127.0.0.1", port if part == "proxy" else 0)) for part in PARTS}
    configure(root, {part: each.getsockname()[1] for part, each in sockets.items()})

    from paste.deploy import loadapp
    from swift.common.swob import Request

    pool = eventlet.GreenPool(500)
    for part, listener in sockets.items():
        app = loadapp(f"config:{root}/{part}.conf")
        eventlet.spawn(eventlet.wsgi.server, listener, app, custom_pool=pool, log_output=False)
    proxy = loadapp(f"config:{root}/proxy.conf", name="proxy-server")
    for bucket in (BUCKET, f"{BUCKET}+segments"):
        headers = {"Content-Length": "0"}
        Request.blank(f"/v1/AUTH_guild/{bucket}", {"REQUEST_METHOD": "PUT"}, headers).get_response(proxy)
    print(f"port {sockets['proxy'].getsockname()[1]}", flush=True)
    eventlet.sleep(86_400)


@dataclass
class ObjectStorage:
    """Swift in a process of its own, which can be stopped and started again."""

    root: Path
    port: int = 0
    stop: Callable[[], None] = lambda: None

    @contextmanager
    def at_work(self) -> Iterator["ObjectStorage"]:
        """Until the block ends."""
        command = [sys.executable, "-m", "tests.object_storage", str(self.root), str(self.port)]
        words = self.root / "words"
        with words.open("w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said, cwd=Path(__file__).parents[1])
        self.stop = process.kill
        try:
            while not (found := re.search(r"^port (\d+)$", words.read_text(), re.MULTILINE)):
                assert process.poll() is None, words.read_text()
                time.sleep(0.02)
            self.port = int(found[1])
            yield self
        finally:
            process.kill()
            process.wait()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a server that uses it."""
        return {"s3_endpoint": self.endpoint, "s3_key": KEY, "s3_secret": SECRET}

    @property
    def environment(self) -> dict[str, str]:
        """The same for a process."""
        return {f"GUILDHOUSE_{name.upper()}": value for name, value in self.settings.items()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # eventlet says of itself that it is old
    serve(Path(sys.argv[1]).absolute(), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
