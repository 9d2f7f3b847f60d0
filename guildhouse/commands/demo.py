"""The demonstration: fills the database with a believable community, once, and says how to look at it."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import bindparam, select

from guildhouse.accounts.api_key import ApiKey, api_keys
from guildhouse.accounts.api_key import Create as NewKey
from guildhouse.accounts.first_admin import first_admin_link
from guildhouse.commands import migrating
from guildhouse.commands.choices import Size
from guildhouse.commands.community import BY_SLUG, DOMAIN, REASON, Hand, found, hire, organization, settle, track
from guildhouse.commands.joining import Say
from guildhouse.kernel import store
from guildhouse.kernel.db import Database, Note

KEY = "demo"
RECRUITER = f"ya-ting.wu{DOMAIN}"
MODERATOR = f"grace.wanjiku{DOMAIN}"
KEYS = select(ApiKey.id).where(
    ApiKey.person_id == bindparam("person_id"), ApiKey.name == KEY, ApiKey.deleted_at.is_(None)
)


@dataclass(frozen=True)
class Measure:
    """How much of everything there is to be; `postings` are the jobs of each organization."""

    people: int
    organizations: int
    postings: int


SIZES = {"small": Measure(36, 8, 6), "large": Measure(400, 40, 30)}


async def fill(dsn: str, address: str, seed: int, size: Size, say: Say, *, new_key: bool = False) -> Counter[str]:
    """Make what is not there yet, each part in a transaction of its own; says how many rows of each table it made."""
    await migrating.forward(dsn)
    database = await Database.open(dsn, 2)
    made: Counter[str] = Counter()
    try:
        ids = await populate(database, made, seed, SIZES[size], say)
        say(told(made))
        if link := await first_admin_link(database, address):
            say(f"Nobody runs this server yet. Become its admin within a day, by this link that works once:\n  {link}")
        key = await key_for(database, made, ids[RECRUITER], anew=new_key)
        say(ways_to_look(address, key))
    finally:
        await database.close()
    return made


async def populate(database: Database, made: Counter[str], seed: int, measure: Measure, say: Say) -> dict[str, str]:
    """The people, then one organization after the other, then what people track; the ids of the people by address."""
    async with writing(database, made) as hand:
        ids = await settle(hand, measure.people, Random(f"{seed} people"))  # noqa: S311 - nothing secret
    for n in range(measure.organizations):
        await establish(database, made, ids, n, measure, seed)
        if measure.organizations > 10:
            say(f"{n + 1} of {measure.organizations} organizations.")
    async with writing(database, made) as hand:
        chance = Random(f"{seed} tracked")  # noqa: S311
        for n, person_id in enumerate(list(ids.values())[::4]):
            await track(hand, person_id, n, chance)
    return ids


@asynccontextmanager
async def writing(database: Database, made: Counter[str]) -> AsyncIterator[Hand]:
    """One transaction. What it made is counted once it is committed."""
    async with database.writing(Note(reason=REASON)) as connection:
        hand = Hand(connection, Counter())
        yield hand
    made.update(hand.made)


async def establish(
    database: Database, made: Counter[str], ids: dict[str, str], n: int, measure: Measure, seed: int
) -> None:
    """The n-th organization with its people, jobs and applications, if it is not there yet."""
    values = organization(n)
    chance = Random(f"{seed} organization {n}")  # noqa: S311
    everybody = [each for email, each in ids.items() if email != MODERATOR]
    async with writing(database, made) as hand:
        if await (await hand.acting(None, datetime.now(UTC))).value(BY_SLUG, slug=values["slug"]):
            return
        others = [each for each in everybody if each != ids[RECRUITER]]
        owner, second, interviewer = chance.sample(others, 3)
        recruiter = ids[RECRUITER] if n == 0 else second
        team = await found(hand, values, [owner, recruiter, interviewer], ids[MODERATOR], chance)
        applicants = [each for each in everybody if each not in (owner, recruiter, interviewer)]
        await hire(hand, team, applicants, values["language"], measure.postings, chance)


async def key_for(database: Database, made: Counter[str], person_id: str, *, anew: bool) -> str | None:
    """An API key for a month, if there is none yet or another one is asked for."""
    now = datetime.now(UTC)
    async with writing(database, made) as hand:
        ctx = await hand.acting(person_id, now)
        if not anew and await ctx.value(KEYS, person_id=person_id):
            return None
        new = NewKey(name=KEY, permissions=["*"], expires_at=now + timedelta(days=30))
        await store.create(ctx, api_keys, new.model_dump())
        hand.made[api_keys.name] += 1
    key: str = ctx.revealed["key"]
    return key


def told(made: Counter[str]) -> str:
    """What was made, in words."""
    if not made:
        return "The community is there already; nothing was added."
    return "Made " + ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in made.items()) + "."


def ways_to_look(address: str, key: str | None) -> str:
    """Three commands, for a server that runs at this address."""
    shown = (
        f"  export KEY={key}"
        if key
        else "  (`guildhouse demo --new-key` makes a key and shows it once: export KEY=...)"
    )
    get = 'curl -H "Authorization: Bearer $KEY"'
    return f"""Look around as 吳雅婷, a recruiter, while the server runs (`guildhouse up`):
{shown}
  {get} '{address}/v1/jobs?status=open&limit=3'
  {get} '{address}/v1/applications?stage=interviewing&expand=job,applicant'
  {get} '{address}/v1/notes?audience=team&sort=-created_at'"""
