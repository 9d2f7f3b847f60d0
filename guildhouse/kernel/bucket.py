"""A bucket: files in storage that speaks the protocol of S3, of whichever maker, for servers that share their files.

The client is obstore's. Its blocking half is called in threads: the other half leaves work of its own behind, which
aborts a process that ends just then.
"""

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import S3Store

from guildhouse.kernel.files import Entry, FilesOutOfReach, NoSuchFile, Stored, WrongFileName, checked_name

T = TypeVar("T")
log = structlog.get_logger()
PART = 8 * 1024 * 1024  # bytes of one request; S3 takes 10,000 of them for one file
AT_ONCE = 3
# A thread that sends waits for chunks, and what makes them may need a thread, too: those are others.
WRITERS = ThreadPoolExecutor(8, "files-out")
CODE = re.compile(r"<Code>(\w+)</Code>")
KEYS = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"})


@dataclass(frozen=True)
class Keys:
    """How the bucket is reached: where (None: Amazon's own), and by which key."""

    endpoint: str | None
    region: str
    key: str
    secret: str


class Bucket:
    """Files in a bucket, under a prefix. A write becomes visible as a whole when the storage has all of it, or never."""

    def __init__(self, name: str, prefix: str, keys: Keys) -> None:
        self.name, self.prefix, self.keys = name, prefix, keys
        self.store = S3Store(
            name,
            prefix=prefix or None,
            endpoint=keys.endpoint,
            region=keys.region,
            access_key_id=keys.key,
            secret_access_key=keys.secret,
            virtual_hosted_style_request=keys.endpoint is None,
            client_options={"allow_http": True, "connect_timeout": "3s", "timeout": "120s"},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=30)},
        )

    async def write(self, name: str, chunks: AsyncIterable[bytes]) -> Stored:
        """Sent in parts as the chunks come; what breaks off is withdrawn."""
        pulled = Pulled(chunks, asyncio.get_running_loop())
        path = checked_name(name)
        try:
            await self.asked(lambda: send(self.store, path, pulled), WRITERS)
        except BaseException:
            pulled.stop()
            raise
        return Stored(pulled.size, pulled.digest.hexdigest())

    async def read(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        """A part at a time, all of the same version of the file."""
        path = checked_name(name)
        meta = await self.head(path)
        while offset < meta["size"]:
            piece = await self.asked(partial(self.part, path, meta["e_tag"], offset, meta["size"]))
            offset += len(piece)
            yield piece

    async def head(self, path: str) -> "obstore.ObjectMeta":
        """What the storage says of a file. Its answer has no body: whether the bucket itself is missing is asked apart."""
        try:
            return await self.asked(lambda: obstore.head(self.store, path))
        except NoSuchFile:
            await self.check()
            raise

    def part(self, path: str, version: str | None, offset: int, size: int) -> bytes:
        """Some bytes of one version of a file."""
        wanted = {"range": (offset, min(offset + PART, size)), "if_match": version}
        return bytes(obstore.get(self.store, path, options=cast("Any", wanted)).bytes())

    async def entry(self, name: str) -> Entry:
        """What the storage says of a file."""
        meta = await self.head(checked_name(name))
        return Entry(name, meta["size"], meta["last_modified"])

    @asynccontextmanager
    async def lent(self, name: str) -> AsyncIterator[Path]:
        """A copy on this machine, gone afterwards."""
        with TemporaryDirectory(prefix="guildhouse-lent-") as directory:
            path = Path(directory) / "file"
            with path.open("wb") as file:
                async for piece in self.read(name):
                    await asyncio.to_thread(file.write, piece)
            yield path

    async def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        path = checked_name(name)
        await self.asked(lambda: obstore.delete(self.store, path))

    async def entries(self, prefix: str = "") -> list[Entry]:
        """The files whose names start so, in the order of their names; others in the bucket are none of ours."""
        within = prefix.rpartition("/")[0]  # the client knows whole segments only
        pages = await self.asked(lambda: list(obstore.list(self.store, within or None)))
        found = [Entry(each["path"], each["size"], each["last_modified"]) for page in pages for each in page]
        return sorted((each for each in found if each.name.startswith(prefix) and is_name(each.name)), key=by_name)

    async def names(self, prefix: str = "") -> list[str]:
        """The names that start so, in order."""
        return [each.name for each in await self.entries(prefix)]

    async def check(self) -> None:
        """Raise `FilesOutOfReach` where the bucket cannot be listed."""
        await self.asked(lambda: next(iter(obstore.list(self.store, chunk_size=1)), None))

    async def asked(self, work: Callable[[], T], threads: ThreadPoolExecutor | None = None) -> T:
        """What the storage answers to this. Raises `NoSuchFile`, or `FilesOutOfReach` with the reason in words."""
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except (BaseError, FileNotFoundError) as error:
            code = CODE.search(str(error))
            if isinstance(error, FileNotFoundError) and not (code and code[1] == "NoSuchBucket"):
                raise NoSuchFile from error
            reason = self.reason(code[1] if code else "", str(error))
            log.warning("files out of reach", reason=reason)
            raise FilesOutOfReach(reason) from None  # the client's own words hold the whole request

    def reason(self, code: str, said: str) -> str:
        """Why the storage does not do what it was asked to, and what to do."""
        place = self.keys.endpoint or f"Amazon S3 in {self.keys.region}"
        if code == "NoSuchBucket":
            return f"{place} has no bucket {self.name}. Make it there, or correct the name in the settings"
        if code in KEYS or "403 Forbidden" in said:
            return (
                f"{place} refuses the key for the bucket {self.name} ({code or '403'}). Correct GUILDHOUSE_S3_KEY and "
                "GUILDHOUSE_S3_SECRET, or let that key list, read, write and remove there"
            )
        if code or "status code" in said:
            return f"{place} could not do it: {code or said.splitlines()[0][-200:]}"
        return f"{place} cannot be reached. Start it, or correct GUILDHOUSE_S3_ENDPOINT"


class Pulled:
    """Chunks of the event loop, for a thread that wants them one after the other; counted and summed as they pass."""

    def __init__(self, chunks: AsyncIterable[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self.chunks, self.loop = aiter(chunks), loop
        self.size, self.digest, self.stopped = 0, sha256(), asyncio.Event()

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := asyncio.run_coroutine_threadsafe(self.next(), self.loop).result()) is not None:
            self.size += len(chunk)
            self.digest.update(chunk)
            yield chunk

    async def next(self) -> bytes | None:
        """The next chunk, or None at the end. Raises `CancelledError` where nobody waits for the file any more."""
        stopping, coming = asyncio.ensure_future(self.stopped.wait()), asyncio.ensure_future(anext(self.chunks, None))
        await asyncio.wait({stopping, coming}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self.stopped.is_set():
            coming.cancel()
            raise asyncio.CancelledError
        return coming.result()

    def stop(self) -> None:
        """Let the thread end, and withdraw what it has sent."""
        self.stopped.set()


def send(store: S3Store, path: str, chunks: Pulled) -> None:
    """Send a file: what fits into one request in one, anything else in parts."""
    parts = in_parts(chunks)
    first, second = next(parts, b""), next(parts, None)
    content = first if second is None else chain((first, second), parts)
    obstore.put(store, path, content, chunk_size=PART, max_concurrency=AT_ONCE)


def in_parts(chunks: Pulled) -> Iterator[bytes]:
    """The chunks in parts of one size, the last one shorter."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PART:
            yield bytes(waiting[:PART])
            del waiting[:PART]
    if waiting:
        yield bytes(waiting)


def is_name(name: str) -> bool:
    """Whether this could be a file of ours."""
    try:
        return bool(checked_name(name))
    except WrongFileName:
        return False


def by_name(entry: Entry) -> str:
    """What entries are ordered by."""
    return entry.name
