"""The served document is valid, and real answers are as it says."""

import json
from typing import Any

import jsonschema_rs
import pytest
from httpx2 import Response
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tests.cast import Cast

pytestmark = pytest.mark.anyio
UNKNOWN = "019a9f3c-7c00-7000-8000-000000000001"


SOMETIMES = {"ratelimit", "total-count", "ratelimit-policy", "link", "idempotent-replayed", "preference-applied"}


@pytest.fixture
async def told(cast: Cast) -> dict[str, Any]:
    """The document as the server serves it."""
    served: dict[str, Any] = (await cast.nobody.get("/openapi.json")).json()
    return served


def check(told: dict[str, Any], response: Response, path: str) -> Any:
    """Hold an answer to what the document says of its door; returns its body."""
    operation = told["paths"][path][response.request.method.lower()]
    answer = operation["responses"][str(response.status_code)]
    if "$ref" in answer:
        answer = told["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    promised = {name.lower() for name in answer.get("headers", {})} - SOMETIMES
    assert "preference-applied" in response.headers or promised <= set(response.headers), path
    if not response.content:
        assert "content" not in answer
        return None
    schema = answer["content"][response.headers["content-type"]]["schema"]
    whole = {**schema, "components": {"schemas": told["components"]["schemas"]}}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(response.json())
    return response.json()


async def test_the_served_document_is_valid_and_has_the_hand_written_routes(told: dict[str, Any]) -> None:
    jsonschema_rs.Draft202012Validator(OPENAPI_31).validate(json.loads(json.dumps(told)))
    assert {"/health", "/ready"} <= set(told["paths"])


async def test_reading_answers_as_it_is_told(cast: Cast, told: dict[str, Any]) -> None:
    one = f"/v1/people/{cast.ada.id}"
    assert check(told, await cast.ada.get("/v1/people?limit=2", prefer="count=exact"), "/v1/people")["page"]["total"]
    check(told, await cast.ada.get("/v1/people?fields=id,name"), "/v1/people")
    row = await cast.ada.get(one)
    check(told, row, "/v1/people/{id}")
    check(told, await cast.ada.get(f"{one}?fields=name"), "/v1/people/{id}")
    check(told, await cast.ada.get(one, if_none_match=row.headers["etag"]), "/v1/people/{id}")
    assert check(told, await cast.ada.get(f"{one}/history"), "/v1/people/{id}/history")["data"]
    check(told, await cast.ada.get("/health"), "/health")
    check(told, await cast.ada.get("/ready"), "/ready")


async def test_writing_answers_as_it_is_told(cast: Cast, told: dict[str, Any]) -> None:
    one, path = f"/v1/people/{cast.ada.id}", "/v1/people/{id}"
    check(told, await cast.ada.patch(one, {"headline": "Analyst"}), path)
    check(told, await cast.ada.patch(one, {"headline": "Engineer"}, prefer="return=minimal"), path)
    dry = check(told, await cast.ada.patch(one, {"headline": "Poet"}, prefer="tx=rollback"), path)
    assert dry["dry_run"] and dry["changes"][0]["event"] == "person.changed"
    check(told, await cast.ada.post(f"{one}/undo"), "/v1/people/{id}/undo")
    check(told, await cast.otto.post(f"/v1/people/{cast.cleo.id}/suspend"), "/v1/people/{id}/suspend")


@pytest.mark.parametrize("mode", ["each", "atomic"])
async def test_batches_answer_as_it_is_told(cast: Cast, told: dict[str, Any], mode: str) -> None:
    ops = [
        {"op": "change", "id": cast.ada.id, "data": {"headline": "Analyst"}},
        {"op": "change", "id": UNKNOWN, "data": {}},
    ]
    body = check(told, await cast.ada.post("/v1/people:batch", {"mode": mode, "ops": ops}), "/v1/people:batch")
    assert body["results"][-1]["problem"]["code"] == "not-found"


async def test_refusals_answer_as_it_is_told(cast: Cast, told: dict[str, Any]) -> None:
    one, path = f"/v1/people/{cast.ada.id}", "/v1/people/{id}"
    assert check(told, await cast.ada.get(f"/v1/people/{UNKNOWN}"), path)["status"] == 404
    assert check(told, await cast.ada.get(f"{one}?colour=red"), path)["code"] == "unknown-parameter"
    assert check(told, await cast.nobody.get(one), path)["code"] == "unauthenticated"
    assert check(told, await cast.ada.get(one, accept="image/png"), path)["code"] == "not-acceptable"
    assert check(told, await cast.ada.patch(one, {"name": ""}), path)["errors"][0]["pointer"] == "/name"
    assert check(told, await cast.ada.patch(one, {"name": "A"}, if_match='"99"'), path)["code"] == "precondition-failed"
    assert check(told, await cast.ben.patch(one, {"name": "Ben"}), path)["code"] == "denied"
    assert (await cast.ada.call("PUT", one)).headers["allow"]
