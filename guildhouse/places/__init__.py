"""Places: where towns are, by their names.

Owns the gazetteer, how a name that people write is read, which town is meant where several have it, and what it is called
in the other language.
Does not own what is where: that is said by the rows of others, and found by the kernel (`kernel/nearby.py`).
"""

from guildhouse.kernel.manifest import Manifest
from guildhouse.places import gazetteer, locating, town_names

manifest = Manifest(
    "places",
    locate=locating.locate,
    synonyms=(town_names.other_names,),
    at_hand=(gazetteer.gazetteer, town_names.names_of_towns),
)
