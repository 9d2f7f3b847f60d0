"""Jobs: what there is to apply for.

Owns jobs, those that organizations post and those that a person tracks, and how they open, pause and close.
Does not own who applied: that is the applications' own.
"""

from guildhouse.jobs import closing, job, pausing
from guildhouse.kernel.manifest import Manifest

manifest = Manifest(
    "jobs",
    resources=(job.jobs,),
    verbs=job.verbs,
    tasks=(closing.CLOSE_OVERDUE, *pausing.tasks),
    schedules=closing.schedules,
)
