"""The cases: what is asked of Guildhouse, the same of the limit, and the ratio of CPU that is aimed at."""

from dataclasses import dataclass

import orjson

from bench.load import Request, request
from bench.prepare import Prepared, example


@dataclass(frozen=True)
class Case:
    """One comparison. `target` is the most that a request may cost, in costs of the limit; `rows` are written by each."""

    name: str
    ours: Request
    bare: Request
    count: int
    target: float | None = None
    rows: int = 1


def always(path: str, headers: str = "") -> Request:
    """The same GET every time."""
    made = request("GET", path, headers=headers)
    return lambda _n: made


def create(path: str, organization_id: str, headers: str = "") -> Request:
    """POST of one job, another one each time."""
    return lambda n: request("POST", path, orjson.dumps(example(n, organization_id)), headers)


def batch(path: str, organization_id: str, headers: str = "") -> Request:
    """POST of a thousand jobs."""

    def make(n: int) -> bytes:
        ops = [{"op": "create", "data": example(n * 1000 + i, organization_id)} for i in range(1000)]
        return request("POST", path, orjson.dumps({"ops": ops}), headers)

    return make


def cases(prepared: Prepared, cursor: str, scale: float) -> list[Case]:
    """Everything that is compared. `cursor` leads to the page at 50,000."""
    token, ids, place = f"Authorization: Bearer {prepared.token}\r\n", prepared.ids, prepared.organization_id
    open_jobs, few = "/v1/jobs?status=open", "&fields=id,title,city,status,posted_at"
    lists, writes = int(4000 * scale), int(2000 * scale)
    return [
        Case("get by id", lambda n: request("GET", f"/v1/jobs/{ids[n % len(ids)]}", headers=token),
             lambda n: request("GET", f"/get/{ids[n % len(ids)]}"), int(6000 * scale), 2.5),
        Case("list 50, filtered", always(open_jobs, token), always("/list"), lists, 1.6),
        Case("list 50, 5 fields", always(open_jobs + few, token), always("/narrow"), lists),
        Case("first page", always("/v1/jobs", token), always("/list"), lists, 1.6),
        Case("page at 50,000", always(f"/v1/jobs?cursor={cursor}", token), always(f"/deep?{prepared.position}"), lists, 1.6),
        Case("create", create("/v1/jobs", place, token), create("/create", place), writes, 2.5),
        Case("batch of 1,000", batch("/v1/jobs:batch", place, token), batch("/batch", place), max(4, writes // 150),
             None, 1000),
    ]  # fmt: skip
