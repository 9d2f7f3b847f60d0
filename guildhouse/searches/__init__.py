"""Searches: what people look for, and what becomes of that.

Owns saved searches and their matches, what a person searched last, and what staff is told of all searches together.
Does not own the search itself, which is the kernel's, nor the sending of alerts: who notifies people hears of a match
from the log.
"""

from guildhouse.kernel.manifest import Manifest
from guildhouse.kernel.searching.search_doors import search_doors
from guildhouse.searches import matched_rows, matching, recent_search, saved_search, search_match, statistics, tally

manifest = Manifest(
    "searches",
    resources=(saved_search.saved_searches, search_match.search_matches, recent_search.recent_searches),
    verbs=(*saved_search.verbs, *search_match.verbs),
    doors=(
        *search_doors(saved_search.saved_searches),
        *matched_rows.doors,
        *recent_search.doors,
        *statistics.doors,
    ),
    readers=(matching.search_matcher,),
    tasks=(recent_search.FORGET_OLD, tally.FORGET_COUNTS),
    schedules=(*recent_search.schedules, *tally.schedules),
    hearers=(recent_search.remember, tally.count),
)
