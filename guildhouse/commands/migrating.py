"""Migrating by hand: where the database stands, and one's way forward and back, with every refusal in words."""

from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError

from guildhouse.app import HOUSE
from guildhouse.kernel import migrate
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.migrate import MigrationState


async def standing(dsn: str) -> MigrationState:
    """Where a database stands; raises `NotDone` for one that a newer Guildhouse has migrated."""
    try:
        return await migrate.migration_state(dsn)
    except RevisionError as error:
        raise NotDone(
            f"A newer version of Guildhouse has migrated this database ({error}). Run that version, or restore a "
            "backup of the time before."
        ) from error


async def require_current(dsn: str) -> None:
    """Raise `NotDone` unless the database has the tables of this version."""
    state = await standing(dsn)
    if state.pending:
        raise NotDone(
            f"The database is at migration {state.current or 'none'}, this version needs {state.head}. "
            "Run `guildhouse migrate`, then start again."
        )


async def forward(dsn: str, target: str = "head") -> MigrationState:
    """Go forward to a migration, or to the newest."""
    state = await standing(dsn)
    if target != "head":
        known(target)
        if target not in state.pending and target != state.current:
            raise NotDone(f"The database is past {target} already, at {state.current}: see `guildhouse migrate back`.")
    await migrate.migrate(dsn, HOUSE, target)
    return await standing(dsn)


async def check_way_back(dsn: str, target: str) -> MigrationState:
    """Where the database stands; raises `NotDone` unless `target` lies behind it."""
    state = await standing(dsn)
    if target != "base":
        known(target)
    if state.current is None or target == state.current or target in state.pending:
        raise NotDone(f"{target} does not lie behind: the database is at {state.current or 'no migration'}.")
    return state


async def back(dsn: str, target: str) -> MigrationState:
    """Go back to an older migration, or to `base`: nothing. The data of what goes back is lost."""
    await check_way_back(dsn, target)
    await migrate.migrate(dsn, HOUSE, target)
    return await standing(dsn)


def known(target: str) -> None:
    """Raise `NotDone` for a migration that does not exist."""
    names = [each.revision for each in ScriptDirectory(migrate.SCRIPTS).walk_revisions()]
    if target not in names:
        raise NotDone(f"There is no migration {target}. There are: {', '.join(reversed(names))}.")


def told(state: MigrationState) -> str:
    """A state in words."""
    if not state.pending:
        return f"The database is at {state.current}, the newest migration."
    return f"The database is at {state.current or 'no migration'}; still to come: {', '.join(state.pending)}."
