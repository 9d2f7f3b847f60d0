"""The choices of a job: how much and for how long one works, and where; and what people call these when they search.

A name here stands for its choice alone. What may mean another one, too, is left out: `短期` is temporary work, and a
contract for a fixed term. Chinese is written in Traditional signs; a search folds both scripts.
"""

from collections.abc import Mapping
from typing import Literal

Employment = Literal[
    "full_time", "part_time", "contract", "temporary", "internship", "apprenticeship", "volunteer", "seasonal", "other"
]
Term = Literal["permanent", "fixed_term", "temporary"]
Workplace = Literal["on_site", "hybrid", "remote"]

CALLED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "employment_type": {
        "full_time": ("full time", "fulltime", "全職", "正職"),
        "part_time": ("part time", "parttime", "兼職", "兼差", "打工", "工讀", "工讀生"),
        "contract": ("contract", "contractor", "約聘", "約僱", "合同工"),
        "temporary": ("temporary", "temp", "臨時", "臨時工", "派遣"),
        "internship": ("internship", "intern", "實習", "實習生"),
        "apprenticeship": ("apprenticeship", "apprentice", "學徒"),
        "volunteer": ("volunteer", "volunteering", "志工", "義工", "志願者"),
        "seasonal": ("seasonal", "季節性"),
    },
    "workplace": {
        "on_site": ("on site", "onsite", "現場辦公", "到班"),
        "hybrid": ("hybrid", "hybrid remote", "混合辦公", "部分遠端"),
        "remote": ("remote", "telework", "work from home", "wfh", "遠端", "遠距", "遠端工作", "遠距工作", "在家工作",
                   "居家辦公"),
    },
}  # fmt: skip
