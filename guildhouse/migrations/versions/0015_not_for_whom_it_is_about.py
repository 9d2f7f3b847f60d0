"""What a hiring team says of somebody is kept from them, also where they are on that team."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NOTE = "SELECT set_config('guildhouse.note', '{}', true)"
# Scopes are in the order of the alphabet; nothing begins like these.
KEPT = (
    """UPDATE notes n SET applicant_id = a.applicant_id, candidate_id = a.candidate_id, version = n.version + 1,
    scopes = coalesce('except:person:' || a.applicant_id, 'except:candidate:' || a.candidate_id) || n.scopes
    FROM applications a WHERE a.id = n.application_id AND n.audience = 'team'""",
    """UPDATE applications SET scopes = ('except:candidate:' || candidate_id) || scopes, version = version + 1
    WHERE candidate_id IS NOT NULL""",
    """UPDATE candidates SET scopes = ('except:person:' || person_id) || scopes, version = version + 1
    WHERE person_id IS NOT NULL""",
)
TOLD = """UPDATE {noun} SET scopes = (SELECT array_agg(s ORDER BY s) FROM unnest(scopes) s WHERE s NOT LIKE 'except:%'),
    version = version + 1 WHERE EXISTS (SELECT FROM unnest(scopes) s WHERE s LIKE 'except:%')"""


def upgrade() -> None:
    op.add_column("notes", sa.Column("candidate_id", sa.Uuid(as_uuid=False), nullable=True))
    op.execute(NOTE.format('{"reason": "what a team says of somebody is not for them"}'))
    for statement in KEPT:
        op.execute(statement)
    op.execute(NOTE.format(""))


def downgrade() -> None:
    for noun in ("candidates", "applications", "notes"):
        op.execute(TOLD.format(noun=noun))
    op.drop_column("notes", "candidate_id")
