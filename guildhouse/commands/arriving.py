"""Taking a person's archive in from the command line: the same way as by the API, in the name of an admin, here and now."""

from dataclasses import dataclass
from pathlib import Path

from guildhouse import app
from guildhouse.accounts.moving_in import arrival, settling
from guildhouse.accounts.moving_in.arrival import Arrival, archive_of, arrivals
from guildhouse.commands.importing import in_words, person_of, pieces
from guildhouse.commands.joining import Say
from guildhouse.config import Config
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.errors import NotDone, Problem
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.importing.own_format import check_loader
from guildhouse.kernel.server import Server
from guildhouse.kernel.tasks import Work


@dataclass(frozen=True)
class Desk:
    """Where one arrival is worked on, and in whose name."""

    server: Server
    actor: Actor
    arrival_id: str

    async def work(self) -> Arrival:
        """Do what is to be done; the arrival at the end. Raises `NotDone` where it failed."""
        await settling.settle(Work(self.server, None, self.arrival_id, 1))
        async with self.server.database.reading() as connection:
            record = await connection.fetchrow(f'SELECT * FROM "{arrivals.name}" WHERE id = $1', self.arrival_id)
        row = Arrival.of(record or {})
        if row.problem:
            reasons = [f"{each['pointer']} {each['detail']}.".strip() for each in row.problem["errors"]]
            raise NotDone(" ".join([row.problem["detail"], *reasons]))
        return row

    async def apply(self) -> None:
        """Ask for the arrival to be loaded."""
        note = Note(actor=self.actor.id, reason="command line")
        async with self.server.database.writing(note) as connection:
            ctx = Context(self.server.house, connection, self.actor, note)
            await arrival.apply(ctx, await ctx.get(arrivals, self.arrival_id, lock=True))


async def bring(config: Config, dsn: str, file: Path, person: str, say: Say, *, apply: bool) -> None:
    """Judge an archive and, if asked to, load it."""
    try:
        async with app.running(config.model_copy(update={"workers": "none"}), dsn) as running:
            desk = await taken_in(running.server, file, person)
            row = await desk.work()
            say(f"It is the take-out of {row.arriving_name}, made by {row.made_by} at {row.made_at}.")
            say(told("Judged", row.judged))
            if apply:
                await desk.apply()
                row = await desk.work()
                say(told("Applied", row.written))
            for each in row.faults:
                say(f"  {each['file']}, line {each['line']}: {each['pointer'].strip('/')} {each['detail']}".rstrip())
            say(f"It is the arrival {row.id}.")
    except Problem as problem:
        raise NotDone(in_words(problem)) from problem


def told(what: str, counts: dict[str, dict[str, int]]) -> str:
    """The counts of each noun in a line."""
    nouns = [
        f"{noun} ({', '.join(f'{n} {name}' for name, n in sorted(each.items()))})" for noun, each in counts.items()
    ]
    return f"{what}: {', '.join(nouns)}."


async def taken_in(server: Server, file: Path, person: str) -> Desk:
    """The archive in the server's store, and its arrival."""
    actor = await person_of(server, person)
    check_loader(actor)
    arrival_id, note = new_id(), Note(actor=actor.id, reason="command line")
    stored = await server.files.write(archive_of(arrival_id), pieces(file))
    async with server.database.writing(note) as connection:
        await arrival.new_arrival(Context(server.house, connection, actor, note), arrival_id, file.name, stored)
    return Desk(server, actor, arrival_id)
