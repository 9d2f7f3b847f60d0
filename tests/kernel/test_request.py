"""Requests: bodies, parameters, preferences and callers, read strictly and never repeated to anybody."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from guildhouse.kernel.errors import BadRequest, Invalid, Problem, TooLarge, UnsupportedMediaType
from guildhouse.kernel.request import Call, UnknownFields, WrongJson, WrongParameter, conform, parse_json
from tests.kernel.gadget import Create, server_of

pytestmark = pytest.mark.anyio


def call(
    query: bytes = b"", body: Sequence[bytes] = (), client: str = "10.0.0.1", settings: Any = None, **headers: str
) -> Call:
    """A request, its body in pieces."""
    messages: list[Message] = [{"type": "http.request", "body": each, "more_body": True} for each in body]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    raw = [(name.replace("_", "-").encode(), value.encode("utf-8")) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/gadgets", "query_string": query, "headers": raw}
    return Call(server_of(**settings or {}), {**scope, "client": (client, 1)}, receive, "abc")


async def test_the_body_is_json_in_any_number_of_pieces() -> None:
    assert await call(body=[b'{"a"', b": [1, ", b"null]}"]).json() == {"a": [1, None]}


async def test_a_merge_patch_is_json_too_and_anything_else_is_not_read() -> None:
    patch = call(body=[b"{}"], content_type="application/merge-patch+json; charset=utf-8")
    assert await patch.json() == {}
    with pytest.raises(UnsupportedMediaType):
        await call(body=[b"{}"], content_type="text/plain").json()


@pytest.mark.parametrize("declared", [{}, {"content_length": "2000"}])
async def test_a_body_that_is_too_large_is_refused_before_it_is_all_read(declared: dict[str, str]) -> None:
    with pytest.raises(TooLarge) as caught:
        await call(body=[b"x" * 600] * 4, settings={"max_body": 1024}, **declared).body()
    assert caught.value.values["limit"] == 1024


async def test_a_connection_that_ends_in_the_middle_is_a_bad_request() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(BadRequest):
        await Call(server_of(), {"headers": []}, receive).body()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b'"\xff"',
        b'"\\ud800"',
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'[["x\\u0000"]]',
        b"[" * 5000,
    ],
)
def test_what_postgresql_could_not_hold_is_not_json_here(raw: bytes) -> None:
    with pytest.raises(WrongJson):
        parse_json(raw)


@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_json_may_nest_as_deep_as_it_can_be_written_again_and_a_nul_is_found_there(
    opened: bytes, closed: bytes
) -> None:
    for depth, why in ((249, "NUL"), (900, "NUL")):
        with pytest.raises(WrongJson) as caught:
            parse_json(opened * depth + b'"\\u0000"' + closed * depth)
        assert why in caught.value.detail()
    assert orjson.dumps(parse_json(opened * 249 + b"1" + closed * 249))
    for depth in (300, 900, 5000):
        with pytest.raises(WrongJson) as caught:
            parse_json(opened * depth + b"1" + closed * depth)
        assert caught.value.values["why"] == "depth limit exceeded"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert parse_json(b"[" + b",".join([b"{}"] * 5000) + b"]") == [{}] * 5000
    assert parse_json(b'"' + b"[{" * 5000 + b'"') == "[{" * 5000


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert parse_json(b'"\\\\u0000"') == "\\u0000"


@given(st.binary())
def test_any_bytes_are_json_or_a_400_that_does_not_repeat_them(raw: bytes) -> None:
    try:
        parse_json(raw)
    except WrongJson as problem:
        assert problem.status == 400


VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner), max_leaves=8))
def test_what_json_can_say_is_read_unless_it_holds_a_nul(value: Any) -> None:
    raw = orjson.dumps(value)
    if b"\\u0000" not in raw.replace(b"\\\\", b""):
        assert parse_json(raw) == value


def test_faults_point_to_their_places_and_do_not_repeat_the_input() -> None:
    with pytest.raises(Invalid) as caught:
        conform(Create, {"title": "", "tags": ["ok", 7], "weight": "hunter2"})
    found = {fault.pointer: fault.code for fault in caught.value.faults}
    assert found == {
        "/maker_id": "missing",
        "/title": "string-too-short",
        "/tags/1": "string-type",
        "/weight": "int-type",
    }
    assert "hunter2" not in str([fault.detail for fault in caught.value.faults])


def test_unknown_fields_are_malformed_whatever_else_is_wrong() -> None:
    with pytest.raises(UnknownFields) as caught:
        conform(Create, {"a/b~c": 1, "title": ""})
    assert [fault.pointer for fault in caught.value.faults] == ["/a~1b~0c"]


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_a_body_that_is_no_object_is_wrong_as_a_whole(value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        conform(Create, value)
    assert caught.value.faults[0].pointer == ""


def test_parameters_keep_their_order_and_their_blanks() -> None:
    found = call(b"sort=-title&weight%5Bgte%5D=1&q=a+b%26c&note=")
    assert found.query == [("sort", "-title"), ("weight[gte]", "1"), ("q", "a b&c"), ("note", "")]
    assert (found.param("q"), found.param("note"), found.param("limit")) == ("a b&c", "", None)


@pytest.mark.parametrize("query", [b"a=1&a=2", b"a=%00", b"%00=a", b"a=%ff", b"a=\xff", b"&".join([b"a=1"] * 101)])
def test_parameters_twice_broken_or_with_nul_are_malformed(query: bytes) -> None:
    with pytest.raises(WrongParameter):
        call(query).query  # noqa: B018 - reading it is the test


@given(st.binary())
def test_any_query_is_parameters_or_a_400(query: bytes) -> None:
    try:
        names = [name for name, _ in call(query).query]
    except Problem as problem:
        assert problem.status == 400
        return
    assert len(set(names)) == len(names)


def test_preferences_are_read_as_rfc_7240_writes_them() -> None:
    found = call(prefer='tx=rollback, Count="exact",return=minimal, respond-async')
    assert found.prefer == {"tx": "rollback", "count": "exact", "return": "minimal", "respond-async": ""}
    assert call().prefer.get("tx") is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("tx=rollback; wait=5, return=minimal", {"tx": "rollback", "return": "minimal"}),
        ("tx=rollback, tx=commit", {"tx": "rollback"}),
        ('said="a, tx=commit; b", tx = rollback', {"said": "a, tx=commit", "tx": "rollback"}),
        ("", {}),
    ],
)
def test_of_preferences_the_first_counts_and_parameters_and_quotes_hide_no_other(
    header: str, found: dict[str, str]
) -> None:
    assert call(prefer=header).prefer == found


@given(st.text(st.sampled_from('ab=;," \\'), max_size=60))
def test_any_preference_is_read_without_an_error_and_none_after_it_is_lost(header: str) -> None:
    known = call(prefer=f"{header.replace(chr(34), '')}, tx=rollback").prefer
    assert known["tx"] == "rollback"


def test_a_header_in_several_lines_is_one_list() -> None:
    lines = [(b"prefer", b"tx=rollback"), (b"accept", b"text/csv"), (b"prefer", b"return=minimal")]
    found = Call(server_of(), {"headers": lines}, call().receive)
    assert found.prefer == {"tx": "rollback", "return": "minimal"}
    assert found.header("accept") == "text/csv"


def test_a_proxy_is_believed_only_where_it_is_ours() -> None:
    forwarded = "6.6.6.6, 7.7.7.7"
    assert call(x_forwarded_for=forwarded).client == "10.0.0.1"
    assert call(x_forwarded_for=forwarded, settings={"trust_proxy": True}).client == "7.7.7.7"
    assert call(settings={"trust_proxy": True}).client == "10.0.0.1"


def test_the_note_says_why_in_plain_words() -> None:
    note = call(change_reason="Zu sp%C3%A4t%00").note()
    assert (note.reason, note.request_id, note.actor) == ("Zu sp\u00e4t", "abc", None)
    assert call().note().reason is None and call(change_reason="%00").note().reason is None
    assert len(str(call(change_reason="x" * 2000).note().reason)) == 500


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("他們搬家了".encode(), "他們搬家了"),
        (b"%E4%BB%96%E5%80%91", "他們"),
        ("zu spät".encode("latin-1"), "zu spät"),
        (b"100% sure", "100% sure"),
    ],
)
def test_a_reason_may_be_in_any_script_percent_encoded_or_not(raw: bytes, reason: str) -> None:
    found = Call(server_of(), {"headers": [(b"change-reason", raw)]}, call().receive)
    assert found.note().reason == reason


def test_the_language_is_the_requests_own() -> None:
    assert call(accept_language="zh-TW").language == "zh-TW" and call().language == "en"
