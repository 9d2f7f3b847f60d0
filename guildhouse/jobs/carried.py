"""What jobs are called in other people's files: the names of columns, the words in them, and which formats are known."""

from guildhouse.kernel.resource import Carry

CARRY = Carry(
    key=("organization_id", "source", "external_id"),
    columns=(
        "organization_id", "source", "external_id", "title", "organization_name", "unit", "description",
        "employment_type", "term", "workplace", "city", "region", "country", "latitude", "longitude", "salary_min",
        "salary_max", "salary_currency", "salary_period", "skills", "tags", "opens_on", "closes_on", "posted_at",
        "url",
    ),
    alike=(("title", "organization_id", "organization_name", "city"),),
    shapes=tuple(
        f"guildhouse.jobs.boards:{name}"
        for name in ("LINKEDIN_JOBS", "GREENHOUSE", "GREENHOUSE_HARVEST", "LEVER", "ASHBY", "SCHEMA_ORG", "JSON_RESUME_JOB")
    ),
    pay=("salary_min", "salary_max", "salary_currency", "salary_period"),
    headers={
        "title": ("job title", "position", "position title", "role", "job", "vacancy", "opening", "職缺", "職稱", "職位",
                  "職缺名稱", "職位名稱", "工作名稱", "职位", "职位名称", "stelle", "poste"),
        "organization_name": ("company", "company name", "employer", "employer name", "organization", "organisation",
                              "公司", "公司名稱", "企業", "雇主", "单位", "公司名称"),
        "unit": ("department", "team", "division", "agency", "部門", "單位", "部门"),
        "description": ("job description", "responsibilities", "職務說明", "工作內容", "職缺說明", "職位描述", "职位描述"),
        "employment_type": ("job type", "employment", "type", "commitment", "position type", "工作性質", "雇用類型",
                            "僱用類型", "职位类型"),
        "term": ("appointment type", "contract type", "契約類型"),
        "workplace": ("workplace type", "location type", "remote", "on-site or remote", "工作型態", "遠端"),
        "pay": ("薪資待遇", "工作待遇", "薪水待遇", "薪資範圍", "月薪資", "時薪", "核薪"),
        "salary_min": ("min salary", "salary from", "minimum salary", "pay min", "最低薪資", "薪資下限"),
        "salary_max": ("max salary", "salary to", "maximum salary", "pay max", "最高薪資", "薪資上限"),
        "salary_currency": ("currency", "幣別", "货币"),
        "salary_period": ("pay period", "salary type", "salary interval", "計薪方式", "薪資週期"),
        "opens_on": ("open date", "opens", "start date", "posting date", "apply start date", "開始日期", "刊登日期",
                     "公告日期"),
        "closes_on": ("close date", "closes", "closing date", "deadline", "application deadline", "expiration date",
                      "apply end date", "expires", "截止日期", "截止日", "應徵截止", "應徵截止日", "收件截止日", "報名截止"),
        "posted_at": ("posted", "date posted", "posted on", "posted date", "published", "刊登時間", "發布日期"),
        "external_id": ("job id", "requisition id", "req id", "reference", "posting id", "control number", "職缺編號",
                        "編號"),
        "url": ("apply link", "application url", "job posting"),
    },
    words={
        "employment_type": {
            "full_time": ("full", "ft", "permanent full time", "regular", "全職", "正職", "全职", "vollzeit"),
            "part_time": ("part", "pt", "permanent part time", "兼職", "兼职", "工讀", "打工", "teilzeit"),
            "contract": ("contractor", "freelance", "b2b", "約聘", "約僱", "外包", "承攬", "合同"),
            "temporary": ("temp", "臨時", "派遣", "短期", "临时"),
            "internship": ("intern", "internships", "trainee", "實習", "实习", "實習生", "praktikum"),
            "apprenticeship": ("apprentice", "學徒", "建教合作", "ausbildung"),
            "volunteer": ("volunteering", "志工", "義工", "志愿者"),
            "seasonal": ("season", "summer", "季節性", "暑期"),
            "other": ("per diem", "其他", "other employment"),
        },
        "term": {
            "permanent": ("indefinite", "unlimited", "長期", "不定期", "unbefristet"),
            "fixed_term": ("fixed", "term", "定期", "befristet"),
            "temporary": ("temp", "臨時", "短期"),
        },
        "workplace": {
            "on_site": ("onsite", "office", "in office", "in person", "no", "現場", "辦公室", "到班"),
            "hybrid": ("partly remote", "flexible", "混合", "部分遠端"),
            "remote": ("fully remote", "telework", "telecommute", "work from home", "wfh", "yes", "遠端", "遠距",
                       "在家工作"),
        },
        "salary_period": {
            "hour": ("hourly", "per hour", "hr", "時薪", "時"),
            "day": ("daily", "per day", "日薪", "日"),
            "week": ("weekly", "per week", "週薪", "週"),
            "month": ("monthly", "per month", "月薪", "月"),
            "year": ("yearly", "annual", "annually", "per year", "per annum", "年薪", "年"),
        },
        "status": {"draft": ("unpublished", "草稿"), "open": ("published", "active", "live", "開放", "刊登中")},
    },
)  # fmt: skip
