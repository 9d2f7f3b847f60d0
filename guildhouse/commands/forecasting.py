"""Forecasting: `guildhouse retention` says what would leave by itself if retention ran now, and what holds keep."""

from guildhouse.app import HOUSE
from guildhouse.commands.joining import Say
from guildhouse.config import Config
from guildhouse.kernel.db import Database
from guildhouse.kernel.retaining.outlook import NounOutlook, Outlook, outlook


async def forecast(config: Config, dsn: str) -> Outlook:
    """What would go now."""
    database = await Database.open(dsn, 2)
    try:
        async with database.reading() as connection:
            return await outlook(connection, HOUSE, config.keep_purged_days)
    finally:
        await database.close()


def tell(found: Outlook, say: Say) -> None:
    """Say it noun by noun; those of which nothing would go in one line."""
    quiet = [each.resource for each in found.nouns if not each.to_remove and not each.to_purge]
    for each in found.nouns:
        if each.resource not in quiet:
            say(told(each))
    if quiet:
        say(f"Nothing would go of {', '.join(quiet)}.")
    kept = f"kept as files for {found.keep_purged_days} days" if found.keep_purged_days else "not kept as files"
    say(f"What is purged is {kept}. Files whose time is over: {found.files_to_remove}.")


def told(noun: NounOutlook) -> str:
    """What would go of one noun."""
    parts = []
    if noun.to_remove:
        parts.append(f"{noun.to_remove:,} into the trash (older than {noun.total_days} days)")
    if noun.to_purge:
        since = f", the oldest since {noun.oldest:%Y-%m-%d}" if noun.oldest else ""
        parts.append(f"{noun.to_purge:,} for good (in the trash for more than {noun.trash_days} days{since})")
    held = f"; {noun.held:,} of them are held and stay" if noun.held else ""
    return f"{noun.resource}: {', '.join(parts)}{held}."
