"""Packing: the task that makes the archive of a take-out, out of one moment of the database.

    index.html                     what is in it, to be read by people
    data/<noun>.guildhouse.ndjson  the person's rows of each noun, in the house's own format
    trash/<noun>.guildhouse.ndjson those that are in the trash, with `deleted_at`
    history/<noun>.ndjson          what happened to these rows, newest first
    files/<noun>/<id>/<name>       the files that the person has brought
    manifest.json                  whose it is, from where, and the size and SHA-256 of every file

It holds what the person sees of their own, by being who they are: what others may see of it by their roles, such as
the notes of a hiring team, is not theirs. A run that was killed begins anew.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from guildhouse.accounts.leaving import zipping
from guildhouse.accounts.leaving.owning import owned
from guildhouse.accounts.leaving.takeout import Takeout, takeouts
from guildhouse.accounts.leaving.takeout_page import Leaf, page_of
from guildhouse.accounts.person import Person, people
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.errors import NotFound
from guildhouse.kernel.exporting.encoding import encode_text
from guildhouse.kernel.exporting.keeping import Keeper, part_name
from guildhouse.kernel.exporting.snapshot import Snapshot, snapshot
from guildhouse.kernel.exporting.telling import Telling
from guildhouse.kernel.exporting.wanted import Wanted, own_fields
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.files import NoSuchFile
from guildhouse.kernel.formats import OWN, dumps
from guildhouse.kernel.history import entry_of, is_told, with_hidden
from guildhouse.kernel.importing.own_format import DELETED
from guildhouse.kernel.importing.unpacking import upload_of
from guildhouse.kernel.log import changes
from guildhouse.kernel.pages import parse_sort
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.select import LIVE, TRASH, fetch_count, numbered, statement, visible
from guildhouse.kernel.tasks import Task, Work

VERSION = 1
AT_A_TIME = 200
SHOWN = 50  # rows of a noun on the page
# The nouns of which a person has brought files, and where those are kept.
BROUGHT = {"imports": upload_of}
KEEPER = Keeper(takeouts)


@dataclass(frozen=True)
class Share:
    """The person's rows of a noun, those in the trash by themselves."""

    resource: Resource[Any]
    live: Wanted
    trash: Wanted


@dataclass
class Pack:
    """One archive in the making: whose, out of which moment, and what is in it so far."""

    work: Work
    view: Snapshot
    person: Person
    row: Takeout
    zip: zipping.Zipping = field(init=False)
    leaves: list[Leaf] = field(default_factory=list)
    done: int = 0

    def __post_init__(self) -> None:
        self.zip = zipping.Zipping(self.row.created_at)

    @property
    def actor(self) -> Actor:
        """The person as nobody but themselves: without what their roles let them see."""
        own = frozenset({scope("person", self.person.id)})
        return Actor(self.person.id, own, frozenset({"*.read"}), language=self.row.language)

    def shares(self) -> list[Share]:
        """The person's rows of each noun that can have some."""
        house, found = self.work.server.house, []
        for resource in house.resources.values():
            own = owned(house, resource, self.person)
            if own is not None:
                fields, order = own_fields(resource), parse_sort(resource, "id")
                live = Wanted(house, resource, Selection(fields), (LIVE, own), order, OWN)
                trash = replace(live, selection=Selection((*fields, DELETED)), where=(TRASH, own))
                found.append(Share(resource, live, trash))
        return found


async def make(work: Work) -> None:
    """Make the archive of a take-out."""
    await KEEPER.make(work, write)


async def write(work: Work, row: Takeout) -> None:
    """Write the archive, and close the take-out."""
    async with snapshot(work.server.database, patient=True) as view:
        record = await view.connection.fetchrow(f'SELECT * FROM "{people.name}" WHERE id = $1', row.person_id)
        if record is None:
            raise NotFound
        pack = Pack(work, view, people.table.of(record), row)
        leaves = [await leaf_of(pack, each) for each in pack.shares()]
        total = sum(each.rows + each.trash for each in leaves)
        progress = {"total": total, "done": 0, "position": str(view.position)}
        await KEEPER.noted(work, progress)
        stored = await work.server.files.write(part_name(takeouts, row.id, 0), packed(pack, leaves))
    made = {"parts": [stored.size], "size": stored.size, "sha256": stored.sha256, "done": total}
    await KEEPER.noted(work, made)
    await KEEPER.finish(work, "done")


async def leaf_of(pack: Pack, share: Share) -> Leaf:
    """A noun of the archive, with how many rows the person has of it."""
    live, trash = [await fetch_count(pack.view.connection, share.resource, pack.actor, each.where, exact=True)
                   for each in (share.live, share.trash)]  # fmt: skip
    return Leaf(share.resource, live or 0, trash=trash or 0)


async def packed(pack: Pack, leaves: Sequence[Leaf]) -> AsyncIterator[bytes]:
    """The archive's bytes."""
    for share, leaf in zip(pack.shares(), leaves, strict=True):
        if not leaf.rows + leaf.trash:
            continue
        pack.leaves.append(leaf)
        async for piece in packed_noun(pack, share, leaf):
            yield piece
        pack.done += leaf.rows + leaf.trash
        await KEEPER.noted(pack.work, {"done": pack.done})
    page = page_of(pack.person, pack.leaves, pack.zip.entries, pack.row, pack.work.server.config)
    async for piece in pack.zip.put("index.html", zipping.only(page.encode())):
        yield piece
    async for piece in pack.zip.put("manifest.json", zipping.only(dumps(manifest(pack)))):
        yield piece
    yield pack.zip.close()


async def packed_noun(pack: Pack, share: Share, leaf: Leaf) -> AsyncIterator[bytes]:
    """The bytes of all that belongs to one noun."""
    noun, where = share.resource.path, (share.live, share.trash)
    async for piece in pack.zip.put(f"data/{noun}.guildhouse.ndjson", shown_rows(pack, share.live, leaf)):
        yield piece
    if leaf.trash:
        async for piece in pack.zip.put(f"trash/{noun}.guildhouse.ndjson", rows(pack, share.trash)):
            yield piece
    async for piece in pack.zip.put(f"history/{noun}.ndjson", history(pack, where)):
        yield piece
    async for piece in brought(pack, where):
        yield piece


def rows(pack: Pack, wanted: Wanted) -> AsyncIterator[bytes]:
    """The rows in the house's own format."""
    telling = Telling(pack.actor, pack.row.language, pack.work.server.config.name)
    return encode_text(pack.view, wanted, telling)


async def shown_rows(pack: Pack, wanted: Wanted, leaf: Leaf) -> AsyncIterator[bytes]:
    """The rows, of which the first ones are also for the page."""
    begun = b""
    async for piece in rows(pack, wanted):
        if len(leaf.shown) < SHOWN:
            *lines, begun = (begun + piece).split(b"\n")
            found = [orjson.loads(line) for line in lines if line]
            leaf.shown += [each for each in found if "guildhouse" not in each][: SHOWN - len(leaf.shown)]
        yield piece


async def history(pack: Pack, where: Sequence[Wanted]) -> AsyncIterator[bytes]:
    """What happened to the rows, as far as the person may look into it and saw it."""
    resource, actor, epoch = where[0].resource, pack.actor, pack.view.position.epoch
    async for records in records_of(pack, where):
        mine = [each for each in records if resource.may.history(actor, resource.table.of(each))]
        log = await changes.of_rows(pack.view.connection, resource.name, [each["id"] for each in mine])
        for record in mine:
            for change, hidden in with_hidden(resource, actor, record, log[record["id"]]):
                if is_told(actor, change, hidden):
                    yield dumps({"id": record["id"], **entry_of(resource, epoch, change, hidden)}) + b"\n"


async def records_of(pack: Pack, where: Sequence[Wanted]) -> AsyncIterator[list[Any]]:
    """The whole records of the person's rows, some at a time."""
    for wanted in where:
        sql, values = statement(wanted.resource, "*", [visible(wanted.resource, pack.actor), *wanted.where])
        cursor = await pack.view.connection.cursor(numbered(f"{sql} ORDER BY id"), *values)
        while records := await cursor.fetch(AT_A_TIME):
            yield records


async def brought(pack: Pack, where: Sequence[Wanted]) -> AsyncIterator[bytes]:
    """The files that the person has brought with rows of this noun; one that is gone is left out."""
    resource = where[0].resource
    place = BROUGHT.get(resource.name)
    if place is None:
        return
    async for records in records_of(pack, where):
        for record in records:
            path = f"files/{resource.path}/{record['id']}/{zipping.safe_name(record['file_name'])}"
            try:
                await pack.work.server.files.entry(place(record["id"]))
            except NoSuchFile:
                continue
            async for piece in pack.zip.put(path, pack.work.server.files.read(place(record["id"])), large=True):
                yield piece


def manifest(pack: Pack) -> dict[str, Any]:
    """What is in the archive, for programs."""
    config, person = pack.work.server.config, pack.person
    return {
        "guildhouse_takeout": VERSION,
        "person": {"id": person.id, "name": person.name, "email": person.email},
        "server": {"name": config.name, "address": config.address},
        "made_at": f"{datetime.isoformat(pack.row.created_at).replace('+00:00', 'Z')}",
        "position": str(pack.view.position),
        "nouns": {
            leaf.resource.path: {
                "rows": leaf.rows,
                "trash": leaf.trash,
                "loads_elsewhere": not leaf.resource.carry.stays,
            }
            for leaf in pack.leaves
        },
        "files": pack.zip.entries,
    }


tasks = (Task("make-takeout", make, on=("takeout.created",), give_up=KEEPER.give_up), *KEEPER.tasks)
schedules = KEEPER.schedules
