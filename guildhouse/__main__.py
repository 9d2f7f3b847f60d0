"""The command line: `guildhouse up` and the rest. Each command is a few lines; what it does is in the module it names."""

import asyncio
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import asyncpg
import typer

from guildhouse import config
from guildhouse.accounts.moving_in.unzipping import is_takeout
from guildhouse.commands import (
    arriving,
    auditing,
    backing_up,
    describing,
    forecasting,
    importing,
    mending,
    migrating,
    moving_settings,
    serving,
    where,
)
from guildhouse.commands import demo as demonstrating
from guildhouse.commands import doctor as examining
from guildhouse.commands import explain as explaining
from guildhouse.commands import restore as restoring
from guildhouse.commands import trace as tracing
from guildhouse.commands.joining import database_of, present_database
from guildhouse.kernel.check import BootError
from guildhouse.kernel.embedded import EmbeddedError
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import FilesOutOfReach
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.storage import files_of

cli = typer.Typer(
    help="Guildhouse: the career network that a community runs for itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
migrations = typer.Typer(help="Bring the database to the tables of this version, or back.", invoke_without_command=True)
cli.add_typer(migrations, name="migrate")

audits = typer.Typer(help="Prove that nobody has altered the log.", no_args_is_help=True)
cli.add_typer(audits, name="audit")

intakes = typer.Typer(help="Go on with an import, or undo it as a whole.", no_args_is_help=True)
cli.add_typer(intakes, name="imports")

configured = typer.Typer(help="The settings: print them, or take them to another server.", invoke_without_command=True)
cli.add_typer(configured, name="settings")

shelves = typer.Typer(help="The backups that stand where the server backs itself up.", no_args_is_help=True)
cli.add_typer(shelves, name="backups")

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Tell the person, beside what a program may read."""
    print(text, file=sys.stderr, flush=True)


@cli.command()
def up(host: Host = None, port: Port = None) -> None:
    """Start everything: the embedded PostgreSQL (unless DATABASE_URL is set), migrations, the server."""
    serving.serve(settings_with(host=host, port=port), say, migrates=True)


@cli.command()
def serve(host: Host = None, port: Port = None) -> None:
    """Start the server, but migrate nothing: refuses a database that is not up to date."""
    serving.serve(settings_with(host=host, port=port), say, migrates=False)


def settings_with(**given: object) -> config.Config:
    """The settings, and what was given on the command line."""
    return config.load(**{name: value for name, value in given.items() if value is not None})


@cli.command()
def work() -> None:
    """Work off background tasks only; for servers that run with GUILDHOUSE_WORKERS=none."""
    serving.work(config.load(), say)


@migrations.callback()
def migrate(context: typer.Context) -> None:
    """Bring the database to the tables of this version (`forward` is meant where nothing is said), or back."""
    if context.invoked_subcommand is None:
        forward()


@migrations.command()
def forward(target: Annotated[str, typer.Argument(help="A migration, such as 0002.")] = "head") -> None:
    """Go forward to a migration; to the newest, if none is named."""
    with present_database(config.load(), say) as dsn:
        say(migrating.told(asyncio.run(migrating.forward(dsn, target))))


@migrations.command()
def back(
    target: Annotated[str, typer.Argument(help="A migration, or `base` for none at all.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go back to an older migration; the data of what goes back is lost."""
    with present_database(config.load(), say) as dsn:
        state = asyncio.run(migrating.check_way_back(dsn, target))
        question = f"From {state.current} back to {target}: the data of what goes back is lost. Is there a backup?"
        if not yes:
            typer.confirm(question, abort=True)
        say(migrating.told(asyncio.run(migrating.back(dsn, target))))


@migrations.command()
def status() -> None:
    """Say where the database stands."""
    with present_database(config.load(), say) as dsn:
        say(migrating.told(asyncio.run(migrating.standing(dsn))))


@cli.command()
def demo(
    seed: Annotated[int, typer.Option(help="Another seed makes other choices.")] = 7,
    size: Annotated[demonstrating.Size, typer.Option(help="How much of everything.")] = "small",
    new_key: Annotated[bool, typer.Option("--new-key", help="Make another API key to look around with.")] = False,
) -> None:
    """Fill the database with a believable community; twice is the same as once."""
    settings = config.load()
    with database_of(settings, say) as (dsn, _):
        asyncio.run(demonstrating.fill(dsn, settings.address, seed, size, say, new_key=new_key))


@cli.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="The file: CSV, XLSX, JSON, NDJSON, a format known by name, or a person's take-out.")
    ],
    person: Annotated[str, typer.Option("--as", help="The e-mail address of the person whose import it is.")],
    resource: Annotated[
        str | None, typer.Option(help="What its rows are, such as jobs, where it does not say so.")
    ] = None,
    constants: Annotated[list[str] | None, typer.Option("--set", help="field=value, the same for all rows.")] = None,
    duplicates: Annotated[
        importing.Policy, typer.Option(help="What to do with rows that may be here already.")
    ] = "ask",
    wrong_rows: Annotated[Path | None, typer.Option(help="Where to write the rows that are wrong.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the rows, not only judge them.")] = False,
) -> None:
    """Import rows from a file: judge them, and with --apply, write them."""
    settings = config.load()
    asked = importing.Asked(file.absolute(), resource, person, constants or [], duplicates, wrong_rows, apply)
    with present_database(settings, complain) as dsn:
        if is_takeout(asked.file) or (resource is None and file.suffix == ".zip"):  # a cut one is told so
            asyncio.run(arriving.bring(settings, dsn, asked.file, person, say, apply=apply))
        else:
            asyncio.run(importing.bring(settings, dsn, asked, say))


@intakes.command("undo")
def undo_import(import_id: Annotated[str, typer.Argument(help="The id of an import.")]) -> None:
    """Undo a whole import; rows that somebody has changed since stay as they are."""
    settings = config.load()
    with present_database(settings, complain) as dsn:
        asyncio.run(importing.take_back(settings, dsn, import_id, say))


@intakes.command("resume")
def resume_import(import_id: Annotated[str, typer.Argument(help="The id of an import.")]) -> None:
    """Go on with an import that was cut off, and write what is not written yet."""
    settings = config.load()
    with present_database(settings, complain) as dsn:
        asyncio.run(importing.go_on(settings, dsn, import_id, say))


@cli.command()
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="The archive to write, such as guildhouse.tar; else to GUILDHOUSE_BACKUPS.")
    ] = None,
) -> None:
    """Back the whole server up while it runs: into one file, or to where it backs itself up."""
    settings = config.load()
    with present_database(settings, say) as dsn:
        if file:
            asyncio.run(backing_up.back_up(dsn, files_of(settings), file.absolute(), say))
        else:
            asyncio.run(backing_up.shelve(settings, dsn, say))


Place = Annotated[str | None, typer.Option("--at", help="A directory, or s3://bucket/prefix; else GUILDHOUSE_BACKUPS.")]


@shelves.command("list")
def list_backups(at: Place = None) -> None:
    """List the backups that stand in a place, the newest last."""
    for line in asyncio.run(backing_up.listed(config.load(), at)):
        say(line)


@shelves.command()
def thin(apply: Annotated[bool, typer.Option("--apply", help="Remove them, not only say it.")] = False) -> None:
    """Say which backups GUILDHOUSE_BACKUP_KEEP does not keep; each backup that is taken does it by itself."""
    settings = config.load()
    with present_database(settings, complain) as dsn:
        asyncio.run(backing_up.thin_out(settings, dsn, say, apply=apply))


@cli.command()
def restore(
    source: Annotated[str, typer.Argument(help="An archive, or the name of a backup of `backups list`, or `latest`.")],
    at: Place = None,
    into: Annotated[Path | None, typer.Option(help="Another data directory to restore into.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Move a database that is there aside.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only prove the backup; touch nothing.")] = False,
) -> None:
    """Restore a backup: proved first, then put in place."""
    found = restoring.found(source, at, config.load())
    if check:
        restoring.check(found, say)
    else:
        settings = config.load(data=into).model_copy(update={"database_url": None, "files": None}) if into else None
        restoring.restore(settings or config.load(), found, say, replace=replace)


@cli.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Look for everything that could be wrong, and say what to do about it."""
    found = examining.examine(complain)
    say(dumps([asdict(finding) for finding in found]).decode() if json else examining.told(found))
    if any(finding.severity == "error" for finding in found):
        raise typer.Exit(1)


@cli.command()
def replay(reader: str, position: Annotated[int, typer.Argument(help="The number after the dot.")]) -> None:
    """Let a reader of the log handle a change once more that it could not take."""
    with present_database(config.load(), say) as dsn:
        asyncio.run(mending.replay(dsn, reader, position))
    say(f"{reader} has handled the change at position {position}.")


@cli.command()
def reindex() -> None:
    """Build the search index anew, while the old one goes on to answer; for when it finds what it should not."""
    mending.reindex(config.load())
    say("The server builds a new index now, or when it starts next. `/ready` and the log say when it is there.")


@cli.command()
def retry() -> None:
    """Put the background tasks that were given up into the queue again."""
    with present_database(config.load(), say) as dsn:
        say(f"{asyncio.run(mending.retry(dsn))} tasks are in the queue again.")


@cli.command("map")
def map_(
    word: Annotated[str, typer.Argument(help="A noun, verb, event, column, code, setting, route or file.")],
) -> None:
    """Say where something is in the source, and what it is."""
    found = where.told(word)
    if found is None:
        raise NotDone(f"Nothing is called {word}. Similar: {', '.join(where.similar(word)) or 'nothing either'}.")
    say(found)


@cli.command()
def explain(resource: Annotated[str, typer.Argument(help="Such as jobs.")]) -> None:
    """Say all that follows from a resource's declaration: doors, columns, SQL, scopes, stages, filters."""
    say(explaining.explain(resource))


@cli.command()
def retention() -> None:
    """Say what would leave by itself now, into the trash or for good, and what holds keep. Takes nothing away."""
    settings = config.load()
    with present_database(settings, complain) as dsn:
        forecasting.tell(asyncio.run(forecasting.forecast(settings, dsn)), say)


@cli.command()
def trace(position: Annotated[str, typer.Argument(help="As in Log-Position, or a seq.")]) -> None:
    """Say what one change was, what readers and tasks made of it, and what it caused."""
    with present_database(config.load(), complain) as dsn:
        say(asyncio.run(tracing.trace(dsn, position)))


@audits.command()
def verify() -> None:
    """Prove that the log is whole and unaltered, and that the rows are at the versions it says."""
    with present_database(config.load(), complain) as dsn:
        asyncio.run(auditing.verify(dsn, say))


@cli.command()
def openapi() -> None:
    """Print the API document (OpenAPI 3.1, JSON)."""
    say(dumps(describing.openapi(config.load())).decode())


@cli.command()
def reference(directory: Annotated[Path, typer.Argument(help="Such as docs/api.")]) -> None:
    """Write the reference of the API as Markdown pages."""
    say(f"{len(describing.write_reference(directory))} pages written.")


@configured.callback()
def settings(context: typer.Context) -> None:
    """Print every setting (where nothing else is said): its value, its default, what it does. Passwords are left out."""
    if context.invoked_subcommand is None:
        for setting in describing.settings(config.load()):
            say(setting)


@configured.command("export")
def export_settings(
    place: Annotated[Path, typer.Argument(help="The file to write, or a directory for settings.toml.")],
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
) -> None:
    """Write all settings, those that are rows included, into a file that a person can read. Without secrets."""
    found = config.load()
    with present_database(found, complain) as dsn:
        asyncio.run(moving_settings.export(found, dsn, place.absolute(), say, replace=replace))


@configured.command("import")
def import_settings(
    file: Annotated[Path, typer.Argument(help="A file of `settings export`.")],
    apply: Annotated[bool, typer.Option("--apply", help="Write what differs, not only say it.")] = False,
) -> None:
    """Say what the settings in a file would change here; with --apply, change it."""
    found = config.load()
    with present_database(found, complain) as dsn:
        asyncio.run(moving_settings.bring_in(found, dsn, file.absolute(), say, apply=apply))


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what is wrong with the circumstances is said in words, without a traceback."""
    signal.signal(signal.SIGTERM, leave)
    try:
        cli(arguments)
    except (NotDone, config.ConfigError, EmbeddedError, BootError) as error:
        fail(str(error))
    except FilesOutOfReach as error:
        fail(f"{error.reason}.")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        fail(f"This went wrong: {error or type(error).__name__}. `guildhouse doctor` looks for the cause.")


def leave(_signal: int, _frame: object) -> NoReturn:
    """Whoever is asked to go by SIGTERM still cleans up."""
    raise SystemExit(128 + signal.SIGTERM)


def fail(reason: str) -> NoReturn:
    """End with words."""
    print(reason, file=sys.stderr)
    raise SystemExit(1) from None


if __name__ == "__main__":
    main()
