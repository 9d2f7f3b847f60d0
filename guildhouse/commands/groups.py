"""Groups of commands: `migrate back`, `audit verify` and the like; what stands alone is in `__main__.py`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from guildhouse.commands.opening import Place, complain, load, present_database, say

migrations = typer.Typer(help="Bring the database to the tables of this version, or back.", invoke_without_command=True)
audits = typer.Typer(help="Prove that nobody has altered the log.", no_args_is_help=True)
intakes = typer.Typer(help="Go on with an import, or undo it as a whole.", no_args_is_help=True)
configured = typer.Typer(help="The settings: print them, or take them to another server.", invoke_without_command=True)
shelves = typer.Typer(help="The backups that stand where the server backs itself up.", no_args_is_help=True)


@migrations.callback()
def migrate(context: typer.Context) -> None:
    """Bring the database to the tables of this version (`forward` is meant where nothing is said), or back."""
    if context.invoked_subcommand is None:
        forward()


@migrations.command()
def forward(target: Annotated[str, typer.Argument(help="A migration, such as 0002.")] = "head") -> None:
    """Go forward to a migration; to the newest, if none is named."""
    from guildhouse.commands import migrating

    with present_database(load(), say) as dsn:
        say(migrating.told(asyncio.run(migrating.forward(dsn, target))))


@migrations.command()
def back(
    target: Annotated[str, typer.Argument(help="A migration, or `base` for none at all.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go back to an older migration; the data of what goes back is lost."""
    from guildhouse.commands import migrating

    with present_database(load(), say) as dsn:
        state = asyncio.run(migrating.check_way_back(dsn, target))
        question = f"From {state.current} back to {target}: the data of what goes back is lost. Is there a backup?"
        if not yes:
            typer.confirm(question, abort=True)
        say(migrating.told(asyncio.run(migrating.back(dsn, target))))


@migrations.command()
def status() -> None:
    """Say where the database stands."""
    from guildhouse.commands import migrating

    with present_database(load(), say) as dsn:
        say(migrating.told(asyncio.run(migrating.standing(dsn))))


@intakes.command("undo")
def undo_import(import_id: Annotated[str, typer.Argument(help="The id of an import.")]) -> None:
    """Undo a whole import; rows that somebody has changed since stay as they are."""
    from guildhouse.commands import importing

    settings = load()
    with present_database(settings, complain) as dsn:
        asyncio.run(importing.take_back(settings, dsn, import_id, say))


@intakes.command("resume")
def resume_import(import_id: Annotated[str, typer.Argument(help="The id of an import.")]) -> None:
    """Go on with an import that was cut off, and write what is not written yet."""
    from guildhouse.commands import importing

    settings = load()
    with present_database(settings, complain) as dsn:
        asyncio.run(importing.go_on(settings, dsn, import_id, say))


@shelves.command("list")
def list_backups(at: Place = None) -> None:
    """List the backups that stand in a place, the newest last."""
    from guildhouse.commands import backing_up

    for line in asyncio.run(backing_up.listed(load(), at)):
        say(line)


@shelves.command()
def thin(apply: Annotated[bool, typer.Option("--apply", help="Remove them, not only say it.")] = False) -> None:
    """Say which backups GUILDHOUSE_BACKUP_KEEP does not keep; each backup that is taken does it by itself."""
    from guildhouse.commands import backing_up

    settings = load()
    with present_database(settings, complain) as dsn:
        asyncio.run(backing_up.thin_out(settings, dsn, say, apply=apply))


@audits.command()
def verify() -> None:
    """Prove that the log is whole and unaltered, and that the rows are at the versions it says."""
    from guildhouse.commands import auditing

    with present_database(load(), complain) as dsn:
        asyncio.run(auditing.verify(dsn, say))


@configured.callback()
def settings(context: typer.Context) -> None:
    """Print every setting (where nothing else is said): its value, its default, what it does. Passwords are left out."""
    from guildhouse.commands import describing

    if context.invoked_subcommand is None:
        for setting in describing.settings(load()):
            say(setting)


@configured.command("export")
def export_settings(
    place: Annotated[Path, typer.Argument(help="The file to write, or a directory for settings.toml.")],
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
) -> None:
    """Write all settings, those that are rows included, into a file that a person can read. Without secrets."""
    from guildhouse.commands import moving_settings

    found = load()
    with present_database(found, complain) as dsn:
        asyncio.run(moving_settings.export(found, dsn, place.absolute(), say, replace=replace))


@configured.command("import")
def import_settings(
    file: Annotated[Path, typer.Argument(help="A file of `settings export`.")],
    apply: Annotated[bool, typer.Option("--apply", help="Write what differs, not only say it.")] = False,
) -> None:
    """Say what the settings in a file would change here; with --apply, change it."""
    from guildhouse.commands import moving_settings

    found = load()
    with present_database(found, complain) as dsn:
        asyncio.run(moving_settings.bring_in(found, dsn, file.absolute(), say, apply=apply))
