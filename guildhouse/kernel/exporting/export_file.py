"""The file of an export, to be fetched: what it is called, and of which kind it is."""

from guildhouse.kernel.exporting.export import Export, exports
from guildhouse.kernel.exporting.handing import Handout
from guildhouse.kernel.exporting.whole_list import named
from guildhouse.kernel.formats import MEDIA_TYPES
from guildhouse.kernel.request import Call


def called(call: Call, row: Export) -> tuple[str, str]:
    """The name of an export's file, and its media type."""
    name = named(call.server.house.resources[row.resource], row.format, row.created_at)
    return name, MEDIA_TYPES[row.format]


doors = Handout(exports, called, tuple(MEDIA_TYPES.values())).doors
