"""What applications are called in other people's files, trackers and hiring systems: columns, and the words in them."""

from guildhouse.applications.candidate import candidates
from guildhouse.applications.harvest import REASONS
from guildhouse.jobs.job import jobs
from guildhouse.kernel.resource import Carry

CARRY = Carry(
    key=("candidate_id", "job_id"),
    columns=("candidate_id", "job_id", "stage", "submitted_at", "decided_at", "rejection_reason", "source", "cover_letter",
             "documents", "contact_name", "contact_email", "contact_phone", "team_note"),
    references={"job": jobs, "candidate": candidates},
    shapes=("guildhouse.applications.harvest:APPLICATIONS",),
    headers={
        "job_id": ("job", "requisition id", "posting id", "職缺編號"),
        "candidate_id": ("candidate", "applicant id", "student id", "應徵者編號"),
        "stage": ("status", "application status", "current stage", "階段", "狀態", "應徵狀態", "状态"),
        "submitted_at": ("applied at", "applied on", "date applied", "application date", "applied", "應徵日期", "投遞日期"),
        "decided_at": ("rejected at", "hired at", "decided on", "結果日期"),
        "rejection_reason": ("reject reason", "reason for rejection", "未錄取原因"),
        "source": ("how they heard", "referral", "channel", "來源", "管道"),
        "cover_letter": ("letter", "求職信"),
        "private_note": ("notes", "my notes", "備註", "筆記"),
        "next_step": ("next action", "follow up", "下一步"),
        "excitement": ("interest", "priority", "rating", "興趣"),
    },
    words={
        "stage": {
            "draft": ("wishlist", "saved", "bookmarked", "to apply", "interested", "想應徵", "收藏"),
            "submitted": ("applied", "application review", "new", "new application", "received", "active", "pending",
                          "in process", "in_process", "已應徵", "已投遞", "審核中"),
            "screening": ("phone screen", "preliminary phone screen", "recruiter phone screen", "recruiter screen",
                          "screen", "assessment", "reviewed", "電話面談", "篩選", "初審"),
            "interviewing": ("interview", "phone interview", "technical interview", "take home test", "face to face",
                             "onsite", "on-site", "onsite interview", "executive interview", "final interview",
                             "reference check", "面試", "面試中"),
            "offered": ("offer", "offer extended", "offer letter", "錄取通知", "已錄取"),
            "hired": ("accepted", "offer accepted", "joined", "到職", "已到職"),
            "rejected": ("declined", "not selected", "archived", "no", "未錄取", "婉拒"),
            "withdrawn": ("withdrew", "candidate withdrew", "cancelled", "canceled", "放棄", "撤回"),
        },
        "rejection_reason": REASONS,
    },
)  # fmt: skip
