"""Erase me: an account goes for good, with all that lives by it, and the log forgets every value it held of any of that.

What is the person's own, `owning.py` says. What others own stays, and says no more than an id of whom it was about: no
row has it any more. The log keeps that something was done, when, and under which id; its chain still verifies. Files of
purged rows are rewritten; backups are not. What an admin holds is not erased.
"""

from guildhouse.accounts.leaving.owning import any_of, named
from guildhouse.accounts.person import Email, Person, an_admin_stays, is_self, people
from guildhouse.accounts.secrets import password_fits
from guildhouse.accounts.session import WrongPassword
from guildhouse.kernel import idempotency, store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Denied, Invalid
from guildhouse.kernel.may import holds
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.retaining.shelving import forget_person
from guildhouse.kernel.row import Row
from guildhouse.kernel.select import numbered
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.tasks import Task, Work
from guildhouse.kernel.writing import held, perform

may_erase = is_self | holds("people.admin")


class AnotherAccount(Invalid):
    """That is not the e-mail address of this account. Write the address of the account that is to be erased."""


class Farewell(Shape):
    """The account's e-mail address, so that none is erased by a slip, and the password, where it is your own."""

    email: Email
    password: str | None = None


async def erase(call: Call) -> Answer:
    """Erase an account for good. Nothing brings it back; `Prefer: tx=rollback` says what would go."""
    farewell = await call.shaped(Farewell)

    async def act(ctx: Context) -> Answer:
        row: Person = await held(call, ctx, people)
        await check(ctx, row, farewell)
        theirs = {each: await named_rows(ctx, each, row) for each in ctx.house.resources.values() if each is not people}
        await store.erase(ctx, {**theirs, people: [row]})
        await idempotency.forget(ctx, row.id)
        return Answer(204)

    return await perform(call, act)


async def check(ctx: Context, row: Person, farewell: Farewell) -> None:
    """Raise what speaks against it: not theirs to erase, another's address, a wrong password, the last admin."""
    if not may_erase(ctx.actor, row):
        raise Denied
    if farewell.email != row.email:
        raise AnotherAccount
    own = is_self(ctx.actor, row) and row.password_hash is not None
    if own and not await password_fits(farewell.password or "", row.password_hash):
        raise WrongPassword
    await an_admin_stays(ctx, row, Person.of({**row.values(), "deleted_at": ctx.now}))


async def named_rows(ctx: Context, resource: Resource[Row], person: Person) -> list[Row]:
    """The rows of a resource that name the person, in the trash or not; what lives by them goes with them."""
    wanted = any_of(named(resource, person))
    if wanted is None:
        return []
    sql = numbered(f'SELECT * FROM "{resource.name}" WHERE {wanted.sql}')
    return [resource.table.of(record) for record in await ctx.connection.fetch(sql, *wanted.values)]


async def forget_in_files(work: Work) -> None:
    """Take the rows of somebody who was erased out of the files that retention has kept."""
    await forget_person(work, work.row_id)


tasks = (Task("forget-in-files", forget_in_files, on=("person.erased",)),)
doors = (
    Door("POST", "/v1/people/{id}/erase", "people.write", "Erase an account for good", erase, people, takes=Farewell),
)
