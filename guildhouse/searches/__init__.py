"""Searches: what people look for, and what becomes of that.

Owns saved searches and their matches, what a person searched last, and what staff is told of all searches together.
Does not own the search itself, which is the kernel's, nor the sending of alerts: who notifies people hears of a match
from the log.
"""

from guildhouse.kernel.manifest import Manifest
from guildhouse.searches import matching, saved_search, search_match

manifest = Manifest(
    "searches",
    resources=(saved_search.saved_searches, search_match.search_matches),
    verbs=(*saved_search.verbs, *search_match.verbs),
    readers=(matching.search_matcher,),
)
