"""Judging: what would happen to each row of an import, found out without writing any.

A row is judged as if those before it in its chunk were there: where a rule asks about them they are written, which is undone
at the end of the chunk.

A verdict is a small object: `v` is create, change, same, duplicate or wrong; a change has its `diff`, a duplicate what it
matches and why, a wrong row every fault at its field. A chunk and its verdicts are one transaction, so a judgement that was
cut off goes on with the first chunk that has none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from guildhouse.kernel import bulk, store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.bulk_writing import Judged, Op, Outcome, Rehearsal
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.errors import Denied, Fault, Invalid, Problem, invalid
from guildhouse.kernel.files import Files
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.ids import as_id
from guildhouse.kernel.importing import likeness, own_format
from guildhouse.kernel.importing.import_ import Import, imports, is_own
from guildhouse.kernel.importing.importable import ID, Assigned, fields_of, read_row
from guildhouse.kernel.importing.likeness import alike
from guildhouse.kernel.importing.references import resolve, rows_named
from guildhouse.kernel.importing.uniqueness import said_once, taken
from guildhouse.kernel.importing.unpacking import CHUNK_ROWS, rows_of
from guildhouse.kernel.importing.values import Hints
from guildhouse.kernel.request import conform
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import LIVE, hidden_fields, numbered, statement, visible
from guildhouse.kernel.tasks import Work

Verdict = dict[str, Any]
Once = dict[int, list[tuple[tuple[str, ...], list[str]]]]
VERDICTS = ("create", "change", "same", "duplicate", "wrong")
# What is wrong with a row as a whole: the codes of `sources.py`, in words.
ROW_FAULTS = {
    "broken-quotes": "a quotation mark of this row is never closed, or stands in the middle of a cell",
    "too-many-columns": "this row has more columns than any file should",
    "cell-too-long": "a cell of this row is longer than any field takes",
    "wrong-encoding": "some bytes of this row are no characters in the encoding that the file is read in",
    "broken-json": "this line is not JSON",
    "other-fields": "this line has fields that the first line of the file does not name",
    "totals": "this row only adds up the others",
    "no-object": "this is no object with names and values",
}


@dataclass(slots=True)
class Line:
    """A row of the file: its place among the rows (from 0), its line, its cells, and what was read out of them."""

    n: int
    line: int
    cells: list[Any]
    data: dict[str, Any]
    faults: list[Fault]


@dataclass(frozen=True)
class Chunk:
    """A stretch of rows: its number, and the rows themselves."""

    number: int
    lines: list[Line]


class Lector:
    """Reads the rows of one import as its plan says."""

    def __init__(self, row: Import, resource: Resource[Any], files: Files, actor: Actor) -> None:
        self.row, self.resource, self.files, self.actor = row, resource, files, actor
        plan = row.plan or {}
        fields, zone = fields_of(resource), plan.get("timezone", "UTC")
        self.constants = plan.get("constants", {})
        self.names = [each["name"] for each in row.columns]
        self.assigned = [
            Assigned(each["column"], fields[each["field"]], hints_of(each, zone))
            for each in plan.get("columns", ())
            if each["field"] in fields
        ]

    async def chunk(self, number: int, start: int, length: int) -> Chunk:
        """The rows of one stretch of the file of rows."""
        raw = bytearray()
        async for piece in self.files.read(rows_of(self.row.id), start):
            raw += piece[: length - len(raw)]
            if len(raw) >= length:
                break
        lines = bytes(raw).split(b"\n")[:-1]
        return Chunk(number, [self.line(number * CHUNK_ROWS + n, line) for n, line in enumerate(lines)])

    def line(self, n: int, raw: bytes) -> Line:
        """One row."""
        line, fault, cells = orjson.loads(raw)
        if fault:
            return Line(n, line, cells, {}, [Fault("", fault, ROW_FAULTS[fault])])
        if is_own(self.row):
            return Line(n, line, cells, dict(zip(self.names, cells, strict=True)), [])
        data, faults = read_row(self.resource, self.assigned, self.constants, cells)
        if data.get(ID) == "me":
            data[ID] = self.actor.id
        return Line(n, line, cells, data, faults)


def hints_of(column: Mapping[str, Any], zone: str) -> Hints:
    """How a column of a plan is read."""
    return Hints(column.get("order"), column.get("decimal"), column.get("separator"), column.get("values") or {}, zone)


async def run_judging(work: Work, row: Import, actor: Actor, number: int, start: int, length: int) -> bool:
    """Judge one chunk and store the verdicts; False when somebody has cancelled."""
    resource = work.server.house.resources[row.resource]
    check_may(row, resource, actor)
    chunk = await Lector(row, resource, work.server.files, actor).chunk(number, start, length)
    async with work.writing(Note(actor=actor.id, request_id=work.id)) as ctx:
        now = await ctx.find(imports, row.id, lock=True)
        if now is None or now.status != "judging":
            return False
        ctx.actor = actor
        judge = judge_own if is_own(row) else judge_any
        verdicts = await judge(ctx, resource, row.id, chunk.lines)
        kept = await ctx.connection.fetchval(
            "UPDATE import_chunks SET verdicts = $3 WHERE import_id = $1 AND number = $2 AND verdicts IS NULL RETURNING 1",
            row.id, number, verdicts,
        )  # fmt: skip
        if kept:
            ctx.actor = HOUSE
            counts = Counter(now.judged) + Counter(each["v"] for each in verdicts)
            await store.change(ctx, imports, now, {"judged": dict(counts)}, verb="progressed")
    return True


async def judge_lines(ctx: Context, resource: Resource[Any], lines: Sequence[Line]) -> tuple[list[Verdict], Once]:
    """What would happen to each row, by the same judgement that a write goes through; and what new ones say that no other
    row may say, by their places in the file."""
    ops = await ops_of(ctx, resource, lines)
    outcomes = [Outcome("failed", problem=op if isinstance(op, Problem) else None) for op in ops]
    verdicts: list[Verdict] = [{} for _ in ops]
    once: Once = {}
    async with Rehearsal(ctx, resource, outcomes) as rehearsal:
        for wave in bulk.waves(resource, ops):
            async for each in bulk.judge(ctx, resource, wave, outcomes):
                await rehearsal.add(each)
                place = each.line.place
                verdicts[place] = written_verdict(ctx, resource, each)
                if each.before is None:
                    once[lines[place].n] = list(said_once(ctx, resource, lines[place].data, each.after))
    for refused in rehearsal.refused:
        verdicts[refused.judged.line.place] = {}
    new = {line.n: line.data for line, verdict in zip(lines, verdicts, strict=True) if verdict.get("v") == "create"}
    here = await taken(ctx, resource, {n: said for n, said in once.items() if n in new})
    for n, (match, why) in {**(await alike(ctx, resource, new)), **here}.items():
        verdicts[n - lines[0].n] = {"v": "duplicate", "id": match, "why": list(why)}
    verdicts = [verdict or other_verdict(outcome) for verdict, outcome in zip(verdicts, outcomes, strict=True)]
    denied = [line for line, outcome in zip(lines, outcomes, strict=True) if isinstance(outcome.problem, Denied)]
    for n in await known_by_key(ctx, resource, denied):
        verdicts[n - lines[0].n] = {"v": "wrong", "here": True, "faults": faults_of(not_yours())}
    return verdicts, once


async def known_by_key(ctx: Context, resource: Resource[Any], lines: Sequence[Line]) -> list[int]:
    """Which of these lines name a row in sight by the whole key. Not which row: an e-mail address may be for other eyes."""
    keys = {line.n: key for line in lines if (key := bulk.key_of(resource, line.data))}
    found = await rows_named(ctx, resource, set(keys.values())) if keys else {}
    return [n for n, key in keys.items() if found[key]]


def not_yours() -> Invalid:
    """What is wrong with a row that is known here and not the actor's to change. It can be left as it is."""
    return invalid("", "not-yours", "this is here already, and not yours to change: `known: skip` leaves it alone")


def check_may(row: Import, resource: Resource[Any], actor: Actor) -> None:
    """Raise `Denied` where the actor may not write such rows (any more), or may not put them back as they were."""
    if not actor.can(f"{resource.name}.write"):
        raise Denied
    if is_own(row):
        own_format.check_loader(actor)


async def judge_any(ctx: Context, resource: Resource[Any], import_id: str, lines: Sequence[Line]) -> list[Verdict]:
    """The verdicts on rows of any file, by those that are here and by the earlier ones of the file."""
    verdicts, once = await judge_lines(ctx, resource, lines)
    await mark_repeats(ctx, resource, import_id, lines, verdicts, once)
    return verdicts


async def judge_own(ctx: Context, resource: Resource[Any], import_id: str, lines: Sequence[Line]) -> list[Verdict]:
    """The verdicts on rows in the house's own format: they are loaded, and that is undone."""
    found = await own_format.try_load(ctx, resource, [data_of(line) for line in lines])
    verdicts = [
        written_verdict(ctx, resource, judged) if judged and outcome.status != "failed" else other_verdict(outcome)
        for outcome, judged in found
    ]
    right = [line for line, verdict in zip(lines, verdicts, strict=True) if verdict["v"] != "wrong"]
    marks = [(b"i" + digest([line.data[ID]]), line.n) for line in right]
    for n in await repeated(ctx, import_id, marks):
        verdicts[n - lines[0].n] = {"v": "wrong", "faults": faults_of(own_format.comes_twice())}
    return verdicts


def data_of(line: Line) -> dict[str, Any] | Problem:
    """What a line in the house's own format says, or what is wrong with it."""
    return Invalid(faults=line.faults) if line.faults else line.data


def written_verdict(ctx: Context, resource: Resource[Any], judged: Judged) -> Verdict:
    """The verdict on a row that would be written."""
    if judged.status == "created":
        return {"v": "create"}
    return {"v": "change", "id": judged.after.id, "diff": diff_of(ctx.actor, resource, judged.before, judged.after)}


def diff_of(actor: Actor, resource: Resource[Any], before: Any, after: Any) -> dict[str, list[Any]]:
    """The fields that differ, from what to what, as far as the actor sees them."""
    was, now = before.__dict__, after.__dict__
    shown = [name for name in resource.readable if was.get(name) != now.get(name)]
    hidden = hidden_fields(resource, actor, was) if shown else ()
    return {name: [was.get(name), now.get(name)] for name in shown if name not in hidden}


def other_verdict(outcome: Outcome) -> Verdict:
    """The verdict on a row that would not be written."""
    if outcome.problem is None:
        return {"v": "same", "id": outcome.id}
    return {"v": "wrong", "faults": faults_of(outcome.problem)}


def faults_of(problem: Problem) -> list[dict[str, Any]]:
    """Every fault of a problem, with what a translation needs; of one that has none, the problem itself."""
    faults = problem.faults or [Fault("", problem.code(), problem.detail())]
    return [
        {"pointer": each.pointer, "code": each.code, "detail": each.detail, **({"values": plain} if plain else {})}
        for each in faults
        for plain in [{name: str(value) for name, value in each.values.items()}]
    ]


async def ops_of(ctx: Context, resource: Resource[Any], lines: Sequence[Line]) -> list[Op | Problem]:
    """The write of each row: of one whose id is here, a change; by a whole key, an upsert; else a create."""
    await resolve(ctx, resource, lines)
    ids = [line.data[ID] for line in lines if ID in line.data]
    here = set(await present(ctx, resource, ids)) if ids else set[str]()
    return [op_of(resource, line, here) for line in lines]


async def present(ctx: Context, resource: Resource[Any], ids: Sequence[Any]) -> list[str]:
    """Which of these ids are live rows that the actor sees."""
    known = [found for each in ids if isinstance(each, str) and (found := as_id(each))]
    where = (Condition("id = ANY(?::uuid[])", (known,)), LIVE, visible(resource, ctx.actor))
    sql, values = statement(resource, "id", where)
    return [record["id"] for record in await ctx.connection.fetch(numbered(sql), *values)]


def op_of(resource: Resource[Any], line: Line, here: set[str]) -> Op | Problem:
    """The write of one row."""
    if line.faults:
        return shape_faults(resource, line)
    data = {name: value for name, value in line.data.items() if name != ID}
    update = resource.shapes.update
    if line.data.get(ID) in here and update is not None:
        known = {name: value for name, value in data.items() if name in update.model_fields}
        return Op(op="change", id=line.data[ID], data=known)
    keyed = resource.carry.key and all(data.get(name) not in (None, "") for name in resource.carry.key)
    return Op(op="upsert" if keyed else "create", data=data)


def shape_faults(resource: Resource[Any], line: Line) -> Problem:
    """All that is wrong with a row whose cells could not all be read: those cells, and what the shape says of the rest."""
    faults = list(line.faults)
    if resource.shapes.create and not any(each.pointer == "" for each in faults):
        try:
            conform_rest(resource, line)
        except Problem as problem:
            met = {each.pointer for each in faults}
            faults += [each for each in problem.faults if each.pointer not in met]
    return Invalid(faults=faults)


def conform_rest(resource: Resource[Any], line: Line) -> None:
    """Raise what the shape says of the cells that could be read."""
    assert resource.shapes.create
    conform(resource.shapes.create, {name: value for name, value in line.data.items() if name != ID})


# ---- those that are here already, and those that come twice ----


async def mark_repeats(
    ctx: Context, resource: Resource[Any], import_id: str, lines: Sequence[Line], verdicts: list[Verdict], once: Once
) -> None:
    """Call a row a duplicate that has the key or the content of an earlier row of the file, or says what that alone may."""
    right = [(line, verdict) for line, verdict in zip(lines, verdicts, strict=True) if verdict["v"] != "wrong"]
    marked = [(mark, line.n, why) for line, verdict in right
              for mark, why in marks_of(resource, line, is_here=verdict.get("id") == line.data.get(ID))]  # fmt: skip
    marked += [(b"u" + digest([*why, *said]), line.n, why) for line, _ in right for why, said in once.get(line.n, ())]
    told_by = {mark: why for mark, _, why in marked}
    for n, (mark, first) in (await repeated(ctx, import_id, [(mark, n) for mark, n, _ in marked])).items():
        verdicts[n - lines[0].n] = {"v": "duplicate", "row": first, "why": list(told_by[mark])}


async def repeated(ctx: Context, import_id: str, marks: Sequence[tuple[bytes, int]]) -> dict[int, tuple[bytes, int]]:
    """Of rows with these marks those that came before: the mark that they share, and with which row."""
    if not marks:
        return {}
    await ctx.connection.execute(
        "INSERT INTO import_marks (import_id, mark, n) SELECT $1, m, n FROM unnest($2::bytea[], $3::int[]) AS t (m, n) "
        "ORDER BY n ON CONFLICT DO NOTHING", import_id, [mark for mark, _ in marks], [n for _, n in marks],
    )  # fmt: skip
    records = await ctx.connection.fetch(
        "SELECT mark, n FROM import_marks WHERE import_id = $1 AND mark = ANY($2::bytea[])",
        import_id, [mark for mark, _ in marks],
    )  # fmt: skip
    first = {record["mark"]: record["n"] for record in records}
    return {n: (mark, first[mark]) for mark, n in marks if first[mark] < n}


def marks_of(resource: Resource[Any], line: Line, *, is_here: bool) -> Iterable[tuple[bytes, Sequence[str]]]:
    """What the row can be known by again, and the fields that say so; of one that is here by its id, that alone."""
    data = line.data
    if ID in data:
        yield b"i" + digest([data[ID]]), (ID,)
        if is_here:
            return
    key = bulk.key_of(resource, data)
    if key:
        yield b"k" + digest(key), resource.carry.key
        return
    if resource.carry.alike and (number := likeness.number_of(resource, data)):
        yield b"n" + digest(number), resource.carry.key
        return
    for group, said in likeness.marks_of(resource, data):
        yield b"a" + digest([*group, *said]), group


def digest(values: Iterable[Any]) -> bytes:
    """16 bytes that stand for these values."""
    return blake2b("\0".join(map(str, values)).encode(), digest_size=16).digest()
