"""Matches on a real server that is killed while it records them: none is missing afterwards, none is there twice."""

from typing import Any

import orjson

from tests.commands.processes import BURY, Place, sql, wait_until

JOBS = 900
TITLES = ("Nurse", "Baker", "Welder")
QUERIES: dict[str, dict[str, str]] = {
    "all": {},
    "filter": {"country": "TW", "salary_max[gte]": "50000"},
    "words": {"q": "welder", "country[ne]": "JP"},
}
RECORDED = "SELECT count(*) FROM search_matches"
TWICE = "SELECT count(*) - count(DISTINCT (saved_search_id, row_id)) FROM search_matches"


def job(n: int) -> dict[str, Any]:
    pay = {"salary_max": 40_000 + 10_000 * (n % 3), "salary_currency": "TWD", "salary_period": "month"}
    return {"title": f"{TITLES[n % 3]} {n}", "country": "JP" if n % 2 else "TW", **pay}


def fits(name: str, each: dict[str, Any]) -> bool:
    if name == "filter":
        return each["country"] == "TW" and each["salary_max"] >= 50_000
    return name == "all" or (each["title"].startswith("Welder") and each["country"] != "JP")


def test_every_match_is_recorded_once_through_kill_9(migrated: Place) -> None:
    jobs = [job(n) for n in range(JOBS)]
    lines = b"".join(orjson.dumps({"op": "create", "data": each}) + b"\n" for each in jobs)
    wanted = {name: sum(fits(name, each) for each in jobs) for name in QUERIES}
    assert all(count > 0 for count in wanted.values())
    with migrated.up() as up:
        up.become_admin()
        with up.client() as client:
            for name, query in QUERIES.items():
                made = client.post("/v1/saved-searches", json={"name": name, "resource": "jobs", "query": query})
                assert made.status_code == 201, made.text
            client.post("/v1/jobs:batch", content=lines, headers={"content-type": "application/x-ndjson"})
            wait_until(lambda: int(sql(migrated, RECORDED)) > 0)
            up.kill()
    sql(migrated, BURY)
    with migrated.up() as up:
        up.sign_in()
        with up.client() as client:
            wait_until(lambda: int(sql(migrated, RECORDED)) >= sum(wanted.values()))
            assert sql(migrated, TWICE) == "0"
            for search in client.get("/v1/saved-searches").json()["data"]:
                address = f"/v1/search-matches?saved_search_id={search['id']}&limit=1"
                page = client.get(address, headers={"prefer": "count=exact"}).json()["page"]
                assert page["total"] == wanted[search["name"]], search["name"]
