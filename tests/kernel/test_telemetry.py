"""Telemetry: logs that may be read by anybody, and metrics that are cheap and read by few."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from guildhouse.config import load
from guildhouse.kernel.telemetry import REGISTRY, conceal, configure_logs, count_request, finish, route_of
from tests.cast import Cast

pytestmark = pytest.mark.anyio


def concealed(**event: Any) -> dict[str, Any]:
    return dict(conceal(None, "info", event))


@pytest.mark.parametrize(
    "name", ["password", "new_password", "token", "refresh_token", "email", "Authorization", "body"]
)
def test_fields_that_must_not_be_in_a_log_are_blanked(name: str) -> None:
    assert concealed(**{name: "anything"}) == {name: "(hidden)"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("sent to ada.b+x@mail.example.org today", "sent to (hidden) today"),
        ("Authorization: Bearer gh_abc.def-1", "Authorization: (hidden)"),
        ("basic dXNlcjpwYXNz", "(hidden)"),
        ("postgresql://guild:s3cret@db:5432/guildhouse", "postgresql://(hidden)@db:5432/guildhouse"),
        ("Key (email)=(ada@example.org) already exists", "Key (email)=((hidden)) already exists"),
        ("nothing to hide: 3 @ 4", "nothing to hide: 3 @ 4"),
    ],
)
def test_text_that_must_not_be_in_a_log_is_masked_wherever_it_stands(text: str, masked: str) -> None:
    assert concealed(event=text, where={"deep": [text]}) == {"event": masked, "where": {"deep": [masked]}}
    assert concealed(error=ValueError(text)) == {"error": masked}


def test_what_is_plain_stays_as_it_is() -> None:
    plain = {"status": 200, "seconds": 0.5, "leading": True, "reader": None, "route": "/v1/gadgets/{id}"}
    assert concealed(**plain) == plain


@given(st.from_regex(r"[a-z0-9._+-]{1,64}@[a-z0-9-]{1,20}\.[a-z]{2,6}", fullmatch=True), st.text("ab \n"))
def test_no_address_gets_through(address: str, around: str) -> None:
    assert address not in str(concealed(event=f"{around} {address} {around}"))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Standard error, with the logs of the house going there."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", stream)
    configure_logs(load(log_level="info"))
    yield stream
    root.handlers[:], root.level = handlers, level  # what structlog does is the same as before


def test_our_logs_and_those_of_libraries_are_json_lines_of_one_form(lines: io.StringIO) -> None:
    structlog.get_logger("house").warning("reader.late", lag=3)
    logging.getLogger("library").error("lost %s", "ada@example.org")
    structlog.get_logger("house").debug("not said")
    ours, theirs = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (ours["event"], ours["lag"], ours["level"], ours["logger"]) == ("reader.late", 3, "warning", "house")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("lost (hidden)", "error", "library")
    assert ours["timestamp"].endswith("Z")


def test_a_traceback_is_in_the_line_and_masked(lines: io.StringIO) -> None:
    try:
        raise ValueError("Bearer abcdef of ada@example.org")
    except ValueError:
        structlog.get_logger("house").exception("failed")
    said = json.loads(lines.getvalue())
    assert "Traceback" in said["exception"] and "test_telemetry" in said["exception"]
    assert "abcdef" not in said["exception"] and "ada@" not in said["exception"]


def test_a_terminal_gets_words_in_place_of_json() -> None:
    *_, render = finish(True)
    assert "reader.late" in str(render(None, "info", {"event": "reader.late", "level": "info"}))


def test_a_route_is_the_template_and_never_the_address() -> None:
    class Route:
        path = "/docs/errors/{code}"

    assert route_of({"template": "/v1/gadgets/{id}", "path": "/v1/gadgets/7"}) == "/v1/gadgets/{id}"
    assert route_of({"route": Route(), "path": "/docs/errors/x"}) == "/docs/errors/{code}"
    assert route_of({"path": "/wp-admin.php"}) == "none"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_an_answer_is_counted_and_timed_under_its_route() -> None:
    labels = {"method": "GET", "route": "/v1/counted/{id}"}
    for status in (200, 204, 404):
        count_request({"method": "GET", "template": "/v1/counted/{id}"}, status, 0.02)
    assert value("guildhouse_requests_total", status="2xx", **labels) == 2
    assert value("guildhouse_requests_total", status="4xx", **labels) == 1
    assert value("guildhouse_request_seconds_count", **labels) == 3
    assert value("guildhouse_request_seconds_bucket", le="0.01", **labels) == 0
    assert value("guildhouse_request_seconds_bucket", le="0.025", **labels) == 3


def test_a_method_that_somebody_made_up_makes_no_series_of_its_own() -> None:
    for method in ("BREW", "WHEN"):
        count_request({"method": method, "template": "/v1/made-up"}, 405, 0.001)
    assert value("guildhouse_requests_total", method="other", route="/v1/made-up", status="4xx") == 2


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The samples of an exposition by name."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


async def test_the_metrics_tell_how_the_server_is(lone_cast: Cast) -> None:
    cast = lone_cast  # the metrics of a process are those of its youngest server
    written = await cast.ada.patch(f"/v1/people/{cast.ada.id}", {"headline": "Analyst"})
    await cast.ada.get(f"/v1/people/{cast.ada.id}", wait_for=written.headers["log-position"])
    response = await cast.otto.get("/metrics")
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/plain")
    found = samples(response.text)
    assert found["guildhouse_sequencer_leading"] == [({}, 1.0)]
    assert found["guildhouse_log_position"][0][1] > 0 and found["guildhouse_sequencer_stamped"][0][1] > 0
    assert {labels["state"] for labels, _ in found["guildhouse_database_connections"]} == {"open", "in use"}
    assert "tasks" in {labels["reader"] for labels, _ in found["guildhouse_reader_lag"]}
    assert cast.ada.id not in response.text, "no address becomes a label"


async def test_metrics_are_for_those_who_may_scrape(cast: Cast) -> None:
    assert (await cast.otto.get("/metrics", x_forwarded_for="6.6.6.6")).status_code == 200
    assert (await cast.ada.get("/metrics", x_forwarded_for="6.6.6.6")).status_code == 403
    assert (await cast.nobody.get("/metrics", x_forwarded_for="6.6.6.6")).status_code == 401


async def test_on_ones_own_machine_they_are_open(cast: Cast) -> None:
    assert (await cast.nobody.get("/metrics")).status_code == 200


async def test_on_a_server_that_others_reach_they_are_not(starting: Any) -> None:
    async with starting(base_url="https://guild.example.org") as cast:
        assert (await cast.nobody.get("/metrics")).status_code == 401


async def test_without_a_database_the_rest_of_the_metrics_is_still_told(starting: Any) -> None:
    async with starting() as cast:
        await cast.server.database.pool.close()
        response = await cast.nobody.get("/metrics")
    assert response.status_code == 200 and "guildhouse_requests_total" in response.text


def test_a_logger_that_has_spoken_goes_the_way_of_those_that_are_configured_after_it(lines: io.StringIO) -> None:
    logger = structlog.get_logger("house")
    logger.warning("first")
    configure_logs(load(log_level="info"))
    with capture_logs() as logs:
        logger.warning("second")
    assert [each["event"] for each in logs] == ["second"]
