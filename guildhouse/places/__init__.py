"""Places: where towns are, by their names.

Owns the gazetteer, how a name that people write is read, and which town is meant where several have it.
Does not own what is where: that is said by the rows of others, and found by the kernel (`kernel/nearby.py`).
"""

from guildhouse.kernel.manifest import Manifest
from guildhouse.places import gazetteer, locating

manifest = Manifest("places", locate=locating.locate, at_hand=(gazetteer.gazetteer,))
