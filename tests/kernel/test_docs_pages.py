"""The documentation: every page there is, readable without script or network, and true to the code."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from guildhouse import app
from guildhouse.kernel.document.docs_pages import Docs, kind_of, reference, router
from guildhouse.kernel.document.openapi import operation_id
from guildhouse.kernel.errors import Problem, subclasses
from guildhouse.kernel.headers import install_problem_handlers
from guildhouse.kernel.http import doors_of
from tests.kernel.gadget import gadgets, house, server_of

pytestmark = pytest.mark.anyio
DOORS = doors_of(house)
PAGES = (
    "/docs",
    "/docs/api/gadgets",
    "/docs/api/makers",
    "/docs/errors",
    "/docs/errors/not-found",
    "/docs/errors/boot",
)


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    made = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install_problem_handlers(made)
    made.include_router(router(server_of(name="Guild <of> Makers"), DOORS))
    async with AsyncClient(transport=ASGITransport(app=made), base_url="http://test") as opened:
        yield opened


async def test_the_bare_address_leads_to_the_documentation(client: AsyncClient) -> None:
    response = await client.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/docs")


class Page(HTMLParser):
    """What a page links to, loads and says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def addresses(self) -> set[str]:
        """Every address in it."""
        return {str(each[name]) for _, each in self.tags for name in ("href", "src") if name in each}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_html_that_needs_neither_script_nor_network(client: AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Page(response.text)
    assert not any(tag in ("script", "style", "iframe") or "style" in each for tag, each in page.tags)
    assert all(address.startswith(("/", "#")) for address in page.addresses())
    assert [each.get("lang") for tag, each in page.tags if tag == "html"] == ["en"]
    assert sum(tag == "h1" for tag, _ in page.tags) == 1


async def test_every_link_leads_somewhere(client: AsyncClient) -> None:
    seen, ahead = set(), {"/docs"}
    while ahead:
        path = ahead.pop()
        seen.add(path)
        response = await client.get(path)
        assert response.status_code == 200, path
        if "html" in response.headers["content-type"]:
            ahead |= {each.partition("#")[0] for each in Page(response.text).addresses()} - seen - {""}
    assert {*PAGES, "/docs/style.css", "/openapi.json"} <= seen


async def test_names_from_outside_are_escaped(client: AsyncClient) -> None:
    text = (await client.get("/docs")).text
    assert "Guild &lt;of&gt; Makers" in text and "<of>" not in text


@pytest.mark.parametrize("path", ["/docs/api/nothing", "/docs/errors/nothing", "/docs/api/GADGETS", "/docs/nothing"])
async def test_a_page_that_is_none_is_a_problem(client: AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("kind", sorted(set(subclasses()), key=lambda kind: kind.code()), ids=lambda kind: kind.code())
async def test_every_problem_s_type_is_a_page_that_explains_it(client: AsyncClient, kind: type[Problem]) -> None:
    response = await client.get(f"/docs/errors/{kind.code()}")
    assert response.status_code == 200
    assert kind.title() in response.text and str(kind.status) in response.text and 'lang="zh-TW"' in response.text


async def test_a_resource_s_page_tells_all_of_it(client: AsyncClient) -> None:
    text = (await client.get("/docs/api/gadgets")).text
    for door in DOORS:
        if door.resource is gadgets:
            assert f'id="{operation_id(door)}"' in text and door.path in text
    for said in (
        *gadgets.readable,
        *gadgets.find.filter,
        "-created_at",
        "startswith",
        "gadget.purged",
        "holds gadgets",
    ):
        assert said in text, said
    assert "/docs/api/makers" in text and "Show a gadget to everybody." in text


async def test_the_document_for_programs_is_served(client: AsyncClient) -> None:
    first, second = await client.get("/openapi.json"), await client.get("/openapi.json")
    assert first.json()["openapi"] == "3.1.0" and first.content == second.content
    assert (await client.head("/docs")).status_code == 200


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 1, "maxLength": 200}, "text, 1 to 200 characters"),
        ({"type": "string", "maxLength": 9}, "text, at most 9 characters"),
        ({"type": "string", "minLength": 15}, "text, at least 15 characters"),
        ({"type": "string", "format": "uuid"}, "id"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "time or null"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 3}, "list of text, at most 3"),
        ({"type": "integer", "minimum": 1}, "whole number, at least 1"),
        ({"enum": ["draft", "open"], "type": "string"}, "one of: `draft`, `open`"),
        ({"const": "x"}, "one of: `x`"),
        ({"type": "object"}, "object"),
        ({}, "anything"),
        ({"$ref": "#/components/schemas/Colour"}, "one of: `red`"),
    ],
)
def test_a_type_is_said_in_words(schema: dict[str, Any], words: str) -> None:
    assert kind_of(schema, {"Colour": {"enum": ["red"]}}) == words


def test_fields_say_what_may_be_sent() -> None:
    fields = {each.name: each for each in Docs(house, DOORS).sheets["gadgets"].fields}
    assert (fields["title"].read, fields["title"].create, fields["title"].update) == (True, "needed", "may")
    assert (fields["status"].read, fields["status"].create, fields["status"].update) == (True, "", "")
    assert (fields["weight"].kind, fields["weight"].about) == ("whole number, 1 to 100000 or null", "In grams.")


@pytest.mark.parametrize("whose", [house, app.HOUSE], ids=["small", "whole"])
def test_the_markdown_is_the_same_every_time_and_its_tables_are_whole(whose: Any) -> None:
    files = reference(whose, doors_of(whose))
    assert files == reference(whose, doors_of(whose))
    assert set(files) == {"README.md", "errors.md", "boot.md", *(f"{noun}.md" for noun in whose.paths)}
    for name, text in files.items():
        assert text.startswith("# ") and text.endswith("\n"), name
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(widths) == 1, (name, table)


def test_the_shell_example_is_quoted_for_the_shell() -> None:
    sheet = Docs(house, DOORS).sheets["gadgets"]
    assert '"$GUILDHOUSE/v1/gadgets?limit=10"' in sheet.curl and "--json '{" in sheet.curl
    assert "--json" not in Docs(house, DOORS).sheets["makers"].curl
