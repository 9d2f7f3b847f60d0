"""The command line: `guildhouse up` and the rest. Each command is a few lines; what it does is in the module it names.

Each imports that module itself: most of them bring the whole house, which only those should wait for who ask for it.
"""

import asyncio
import gc
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from guildhouse.commands.choices import Policy, Size
from guildhouse.commands.groups import audits, configured, intakes, migrations, shelves
from guildhouse.commands.opening import Place, complain, load, present_database, say

cli = typer.Typer(
    help="Guildhouse: the career network that a community runs for itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cli.add_typer(migrations, name="migrate")
cli.add_typer(audits, name="audit")
cli.add_typer(intakes, name="imports")
cli.add_typer(configured, name="settings")
cli.add_typer(shelves, name="backups")

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]


@cli.command()
def up(host: Host = None, port: Port = None) -> None:
    """Start everything: the embedded PostgreSQL (unless DATABASE_URL is set), migrations, the server."""
    from guildhouse.commands import serving

    serving.serve(load(host=host, port=port), say, migrates=True)


@cli.command()
def serve(host: Host = None, port: Port = None) -> None:
    """Start the server, but migrate nothing: refuses a database that is not up to date."""
    from guildhouse.commands import serving

    serving.serve(load(host=host, port=port), say, migrates=False)


@cli.command()
def work() -> None:
    """Work off background tasks only; for servers that run with GUILDHOUSE_WORKERS=none."""
    from guildhouse.commands import serving

    serving.work(load(), say)


@cli.command()
def demo(
    seed: Annotated[int, typer.Option(help="Another seed makes other choices.")] = 7,
    size: Annotated[Size, typer.Option(help="How much of everything.")] = "small",
    new_key: Annotated[bool, typer.Option("--new-key", help="Make another API key to look around with.")] = False,
) -> None:
    """Fill the database with a believable community; twice is the same as once."""
    from guildhouse.commands import demo as demonstrating
    from guildhouse.commands.joining import database_of

    settings = load()
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
    read: Annotated[
        list[str] | None,
        typer.Option(help="What the file is, where that was not seen: encoding=big5, sheet=Jobs, header_line=3."),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="name=field, or name=field:dmy where days come first; name= leaves it out.")
    ] = None,
    duplicates: Annotated[Policy, typer.Option(help="What to do with rows that may be here already.")] = "ask",
    wrong_rows: Annotated[Path | None, typer.Option(help="Where to write the rows that are wrong.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the rows, not only judge them.")] = False,
) -> None:
    """Import rows from a file: judge them, and with --apply, write them."""
    from guildhouse.accounts.moving_in.unzipping import is_cut, is_takeout
    from guildhouse.commands import arriving, importing

    settings = load()
    asked = importing.Asked(
        file.absolute(), resource, person, constants or [], duplicates, wrong_rows, apply, read or [], column or []
    )
    with present_database(settings, complain) as dsn:
        if is_takeout(asked.file) or (resource is None and is_cut(asked.file)):
            asyncio.run(arriving.bring(settings, dsn, asked.file, person, say, apply=apply))
        else:
            asyncio.run(importing.bring(settings, dsn, asked, say))


@cli.command()
def backup(
    file: Annotated[
        Path | None, typer.Argument(help="The archive to write, such as guildhouse.tar; else to GUILDHOUSE_BACKUPS.")
    ] = None,
) -> None:
    """Back the whole server up while it runs: into one file, or to where it backs itself up."""
    from guildhouse.commands import backing_up
    from guildhouse.kernel.storage import files_of

    settings = load()
    with present_database(settings, say) as dsn:
        if file:
            asyncio.run(backing_up.back_up(dsn, files_of(settings), file.absolute(), say))
        else:
            asyncio.run(backing_up.shelve(settings, dsn, say))


@cli.command()
def restore(
    source: Annotated[str, typer.Argument(help="An archive, or the name of a backup of `backups list`, or `latest`.")],
    at: Place = None,
    into: Annotated[Path | None, typer.Option(help="Another data directory to restore into.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Move a database that is there aside.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only prove the backup; touch nothing.")] = False,
) -> None:
    """Restore a backup: proved first, then put in place."""
    from guildhouse.commands import restore as restoring

    found = restoring.found(source, at, load())
    if check:
        restoring.check(found, say)
    else:
        settings = load(data=into).model_copy(update={"database_url": None, "files": None}) if into else None
        restoring.restore(settings or load(), found, say, replace=replace)


@cli.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Look for everything that could be wrong, and say what to do about it."""
    from guildhouse.commands import doctor as examining
    from guildhouse.kernel.formats import dumps

    found = examining.examine(complain)
    say(dumps([asdict(finding) for finding in found]).decode() if json else examining.told(found))
    if any(finding.severity == "error" for finding in found):
        raise typer.Exit(1)


@cli.command()
def replay(reader: str, position: Annotated[int, typer.Argument(help="The number after the dot.")]) -> None:
    """Let a reader of the log handle a change once more that it could not take."""
    from guildhouse.commands import mending

    with present_database(load(), say) as dsn:
        asyncio.run(mending.replay(dsn, reader, position))
    say(f"{reader} has handled the change at position {position}.")


@cli.command()
def reindex() -> None:
    """Build the search index anew, while the old one goes on to answer; for when it finds what it should not."""
    from guildhouse.commands import mending

    mending.reindex(load())
    say("The server builds a new index now, or when it starts next. `/ready` and the log say when it is there.")


@cli.command()
def retry() -> None:
    """Put the background tasks that were given up into the queue again."""
    from guildhouse.commands import mending

    with present_database(load(), say) as dsn:
        say(f"{asyncio.run(mending.retry(dsn))} tasks are in the queue again.")


@cli.command("map")
def map_(
    word: Annotated[str, typer.Argument(help="A noun, verb, event, column, code, setting, route or file.")],
) -> None:
    """Say where something is in the source, and what it is."""
    from guildhouse.commands import where
    from guildhouse.kernel.errors import NotDone

    found = where.told(word)
    if found is None:
        raise NotDone(f"Nothing is called {word}. Similar: {', '.join(where.similar(word)) or 'nothing either'}.")
    say(found)


@cli.command()
def explain(resource: Annotated[str, typer.Argument(help="Such as jobs.")]) -> None:
    """Say all that follows from a resource's declaration: doors, columns, SQL, scopes, stages, filters."""
    from guildhouse.commands import explain as explaining

    say(explaining.explain(resource))


@cli.command()
def retention() -> None:
    """Say what would leave by itself now, into the trash or for good, and what holds keep. Takes nothing away."""
    from guildhouse.commands import forecasting

    settings = load()
    with present_database(settings, complain) as dsn:
        forecasting.tell(asyncio.run(forecasting.forecast(settings, dsn)), say)


@cli.command()
def trace(position: Annotated[str, typer.Argument(help="As in Log-Position, or a seq.")]) -> None:
    """Say what one change was, what readers and tasks made of it, and what it caused."""
    from guildhouse.commands import trace as tracing

    with present_database(load(), complain) as dsn:
        say(asyncio.run(tracing.trace(dsn, position)))


@cli.command()
def openapi() -> None:
    """Print the API document (OpenAPI 3.1, JSON)."""
    from guildhouse.commands import describing
    from guildhouse.kernel.formats import dumps

    say(dumps(describing.openapi(load())).decode())


@cli.command()
def reference(directory: Annotated[Path, typer.Argument(help="Such as docs/api.")]) -> None:
    """Write the reference of the API as Markdown pages."""
    from guildhouse.commands import describing

    say(f"{len(describing.write_reference(directory))} pages written.")


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what is wrong with the circumstances is said in words, without a traceback."""
    signal.signal(signal.SIGTERM, leave)
    # What loading makes, stays; to look through it for garbage again and again is a third of a start. `load` ends this.
    gc.disable()
    try:
        cli(arguments)
    except Exception as error:
        from guildhouse.commands.failing import words_of

        if words := words_of(error):
            fail(words)
        raise
    finally:
        gc.enable()


def leave(_signal: int, _frame: object) -> NoReturn:
    """Whoever is asked to go by SIGTERM still cleans up."""
    raise SystemExit(128 + signal.SIGTERM)


def fail(reason: str) -> NoReturn:
    """End with words."""
    print(reason, file=sys.stderr)
    raise SystemExit(1) from None


if __name__ == "__main__":
    main()
