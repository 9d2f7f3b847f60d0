"""Jobs: what there is to apply for.

Owns jobs, those that organizations post and those that a person tracks, how they open, pause and close, and the boards
and feeds that tell of them.
Does not own who applied: that is the applications' own.
"""

from guildhouse.jobs import (
    board,
    board_job,
    city_coordinates,
    closing,
    feeds,
    job,
    job_posting,
    job_words,
    occupation_door,
    pausing,
    place_suggestions,
    reckoning,
)
from guildhouse.kernel.manifest import Manifest
from guildhouse.vocabulary import keeper

manifest = Manifest(
    "jobs",
    resources=(job.jobs,),
    verbs=job.verbs,
    readers=(
        keeper("job-words", job.jobs, job_words.WORDS),
        keeper("job-places", job.jobs, city_coordinates.PLACES),
    ),
    tasks=(closing.CLOSE_OVERDUE, reckoning.RECKON_PAY, *pausing.tasks),
    schedules=(*closing.schedules, *reckoning.schedules),
    doors=(
        *job_posting.doors,
        *board.doors,
        *board_job.doors,
        *feeds.doors,
        *place_suggestions.doors,
        *reckoning.doors,
        *occupation_door.doors,
    ),
)
