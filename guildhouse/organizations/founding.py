"""Founding: an organization and its first owner, in one transaction."""

from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.request import Call
from guildhouse.kernel.writing import perform, row_answer
from guildhouse.organizations.membership import memberships
from guildhouse.organizations.organization import Create, Read, organizations


async def found(call: Call) -> Answer:
    """Found an organization; who founds it is its first owner."""
    values = (await call.shaped(Create)).model_dump()

    async def act(ctx: Context) -> Answer:
        row = await store.create(ctx, organizations, {**values, "founder_id": ctx.actor.id}, verb="founded")
        first = {"organization_id": row.id, "person_id": ctx.actor.id, "role": "owner"}
        await store.create(ctx, memberships, first, verb="joined")
        answer = row_answer(call, ctx, organizations, row, 201)
        answer.headers["Location"] = f"/v1/{organizations.path}/{row.id}"
        return answer

    return await perform(call, act)


doors = (
    Door("POST", "/v1/organizations", "organizations.write", "Found an organization", found, organizations,
         takes=Create, gives=Read),
)  # fmt: skip
