"""At hand: what domains look things up in is loaded soon after the start, beside requests, so that nobody waits for it."""

import asyncio
import gc

import structlog

from guildhouse.kernel.log.wake import first
from guildhouse.kernel.manifest import House

log = structlog.get_logger(__name__)

AFTER = 1.0  # seconds; what is needed before is loaded by whoever needs it


class Loader:
    """Loads what the domains want at hand, one after the other."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def run(self, stop: asyncio.Event) -> None:
        """Load all, once, then keep it out of what the garbage collector looks through: it stays."""
        await first(stop, within=AFTER)
        for load in self.house.at_hand:
            if stop.is_set():
                return
            try:
                await asyncio.to_thread(load)
            except Exception as error:  # who needs it will be told
                log.warning("not at hand", error=repr(error))
        gc.freeze()
