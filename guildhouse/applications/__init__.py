"""Applications: what people do about jobs, and what the hiring teams do about people.

Owns applications (the applicant's tracker and the employer's list are one), the candidates that a team knows of, the
organizations' own stages, notes and reminders. Does not own interviews, nor the sending of a reminder: who notifies
people hears of it from the log.
"""

from guildhouse.applications import (
    application,
    candidate,
    claiming,
    claiming_page,
    durations,
    moving,
    note,
    reminder,
    stage,
)
from guildhouse.kernel.manifest import Manifest

manifest = Manifest(
    "applications",
    resources=(stage.stages, candidate.candidates, application.applications, note.notes, reminder.reminders),
    verbs=(*moving.verbs, *reminder.verbs),
    tasks=(reminder.REMIND,),
    schedules=reminder.schedules,
    doors=(*durations.doors, *claiming.doors),
    pages=(claiming_page.router,),
    grants=(claiming.grant,),
)
