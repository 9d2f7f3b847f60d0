"""The jobs of the US government, from the public CSV of USAJOBS to JSON lines for `POST /v1/jobs:batch`.

    python examples/usajobs.py jobs.csv --organization ID [--open] >jobs.ndjson

Each line is an upsert: load the file again, and only what has changed since is written. `docs/guides/import-jobs.md`
goes through it.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LONGEST = 200  # characters of a title or a unit

# What the kind of an appointment says of a job. Of the others ("Multiple", "Recent Graduates") it says nothing sure.
APPOINTMENTS: Mapping[str, Mapping[str, str]] = {
    "Permanent": {"term": "permanent"},
    "Term": {"term": "fixed_term"},
    "Temporary": {"term": "temporary"},
    "Temporary Promotion": {"term": "temporary"},
    "Detail": {"term": "temporary"},
    "Summer": {"term": "temporary", "employment_type": "seasonal"},
    "Internships": {"employment_type": "internship"},
}


def main() -> None:
    """Read the CSV, write the lines."""
    parser = argparse.ArgumentParser(description="Turn the CSV of USAJOBS into JSON lines for POST /v1/jobs:batch.")
    parser.add_argument("csv", type=Path, help="the file, with a line of column names first")
    parser.add_argument("--organization", required=True, metavar="ID", help="the organization that posts the jobs")
    parser.add_argument("--open", action="store_true", help="open the jobs that are new; else they are drafts")
    given = parser.parse_args()
    for row in rows(given.csv):
        sys.stdout.write(json.dumps(job(row, given.organization, "open" if given.open else "draft")) + "\n")


def rows(place: Path) -> Iterator[dict[str, str]]:
    """The rows of the CSV by column name, without blanks around the values."""
    with place.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: (value or "").strip() for name, value in row.items()}


def job(row: Mapping[str, str], organization_id: str, status: str) -> dict[str, Any]:
    """A row as a job. An empty column is left out."""
    found = {
        "organization_id": organization_id,
        "source": "usajobs",
        "external_id": row["control_number"],
        "title": cut(row["position_title"]),
        "unit": cut(unit(row)),
        "country": "US",
        **APPOINTMENTS.get(row["appointment_type"], {}),
        "tags": tags(row),
        "opens_on": row["open_date"],
        "closes_on": row["close_date"],
        "posted_at": f"{row['open_date']}T00:00:00Z" if row["open_date"] else "",
        "url": row["url"],
        "status": status,
    }
    return {name: value for name, value in found.items() if value}


def unit(row: Mapping[str, str]) -> str:
    """The department, its agency and the agency's part, each named once."""
    names = (row["department"], row["agency"], row["subagency"])
    return ", ".join(dict.fromkeys(name for name in names if name))


def tags(row: Mapping[str, str]) -> list[str]:
    """The occupation, and who may apply."""
    paths = row["hiring_paths"].split(";")
    return list(dict.fromkeys(tag for each in (row["occupation_series"], *paths) if (tag := each.strip()[:80])))


def cut(text: str) -> str:
    """A text that is too long, cut where an ellipsis says so."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


if __name__ == "__main__":
    main()
