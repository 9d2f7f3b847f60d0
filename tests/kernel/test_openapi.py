"""The API document: whole, valid, the same every time, and true to the doors."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI
from schemathesis.specs.openapi.definitions import OPENAPI_31

from guildhouse import app
from guildhouse.config import load
from guildhouse.kernel.document.openapi import document
from guildhouse.kernel.filters import operators
from guildhouse.kernel.http import doors_of
from guildhouse.kernel.manifest import House
from guildhouse.kernel.reading import LIST_PARAMETERS, ROW_PARAMETERS
from guildhouse.kernel.shapes import Shape
from tests.kernel.gadget import Showing, gadgets, house

CONFIG = load()
DOCUMENT = document(house, doors_of(house), {}, CONFIG)
WHOLE = document(app.HOUSE, doors_of(app.HOUSE), {}, CONFIG)


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with its address and method."""
    for path, methods in made["paths"].items():
        for method, each in methods.items():
            yield path, method, each


def operation(name: str) -> dict[str, Any]:
    """An operation of the small house by its id."""
    return next(each for _, _, each in operations(DOCUMENT) if each["operationId"] == name)


def parameters(name: str) -> dict[str, dict[str, Any]]:
    """The query parameters of an operation."""
    return {each["name"]: each for each in operation(name)["parameters"] if "$ref" not in each}


def references(node: Any) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


@pytest.mark.parametrize("made", [DOCUMENT, WHOLE], ids=["small", "whole"])
def test_it_is_valid_openapi_3_1(made: dict[str, Any]) -> None:
    jsonschema_rs.Draft202012Validator(OPENAPI_31).validate(json.loads(json.dumps(made)))
    for schema in made["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@pytest.mark.parametrize("made", [DOCUMENT, WHOLE], ids=["small", "whole"])
def test_every_reference_leads_somewhere_and_every_component_is_used(made: dict[str, Any]) -> None:
    found = {reference.removeprefix("#/components/") for reference in references(made)}
    offered = {f"{kind}/{name}" for kind, each in made["components"].items() for name in each}
    assert found <= offered
    assert {each for each in offered - found if not each.startswith(("securitySchemes/", "schemas/"))} == set()


@pytest.mark.parametrize("made", [DOCUMENT, WHOLE], ids=["small", "whole"])
def test_every_example_fits_its_schema(made: dict[str, Any]) -> None:
    contents = [each.get("requestBody", {}).get("content", {}) for _, _, each in operations(made)]
    contents += [
        r.get("content", {}) for _, _, each in operations(made) for r in each["responses"].values() if "$ref" not in r
    ]
    contents += [response["content"] for response in made["components"]["responses"].values()]
    shown = [media for content in contents for media in content.values() if "example" in media]
    assert len(shown) > 10
    for media in shown:
        schema = {**media["schema"], "components": {"schemas": made["components"]["schemas"]}}
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(media["example"])


def test_it_is_the_same_every_time() -> None:
    again = document(house, doors_of(house), {}, CONFIG)
    assert json.dumps(again) == json.dumps(DOCUMENT)


@pytest.mark.parametrize("whose", [house, app.HOUSE], ids=["small", "whole"])
def test_every_door_is_in_it_under_a_name_of_its_own(whose: House) -> None:
    made = document(whose, doors_of(whose), {}, CONFIG)
    assert {(path, method.upper()) for path, method, _ in operations(made)} == {
        (door.path, door.method) for door in doors_of(whose)
    }
    names = [each["operationId"] for _, _, each in operations(made)]
    assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)


def test_the_names_are_those_that_programs_rely_on() -> None:
    assert {each["operationId"] for path, _, each in operations(DOCUMENT) if path.startswith("/v1/gadgets")} == {
        "list_gadgets",
        "create_gadget",
        "read_gadget",
        "change_gadget",
        "remove_gadget",
        "read_gadget_history",
        "batch_gadgets",
        "take_back_gadgets",
        "export_gadgets",
        "undo_gadget",
        "restore_gadget",
        "purge_gadget",
        "show_gadget",
    }


def test_a_list_tells_every_filter_with_every_operator() -> None:
    found = set(parameters("list_gadgets"))
    for name in gadgets.find.filter:
        for each in operators(gadgets.columns[name].type):
            assert (name if each == "eq" else f"{name}[{each}]") in found, (name, each)


def test_all_that_a_reading_door_knows_is_told() -> None:
    assert set(parameters("list_gadgets")) >= LIST_PARAMETERS
    assert set(parameters("read_gadget")) == ROW_PARAMETERS


def test_the_order_can_be_turned_round() -> None:
    assert parameters("list_gadgets")["sort"]["schema"]["items"]["enum"] == [
        *("created_at", "-created_at", "title", "-title", "weight", "-weight", "id", "-id")
    ]


def test_a_filter_tells_the_values_it_takes() -> None:
    found = parameters("list_gadgets")
    assert found["status[in]"]["schema"]["items"]["enum"] == ["draft", "shown", "gone"]
    assert found["status[contains]"]["schema"] == {"type": "string"}
    assert found["weight[between]"]["schema"] == {
        "type": "array",
        "items": {"type": "integer"},
        "minItems": 2,
        "maxItems": 2,
    }
    assert (found["weight[in]"]["style"], found["weight[in]"]["explode"]) == ("form", False)
    assert found["maker_id"]["schema"] == {"type": "string", "format": "uuid"}


def test_fields_reach_into_what_can_be_expanded() -> None:
    assert "maker.name" in parameters("list_gadgets")["fields"]["schema"]["items"]["enum"]
    assert parameters("read_gadget")["expand"]["schema"]["items"]["enum"] == ["maker"]


def test_only_doors_that_are_open_to_anyone_ask_for_no_key() -> None:
    assert operation("list_gadgets")["security"] == [{}, {"bearer": []}]
    assert operation("create_gadget")["security"] == [{"bearer": []}]


def test_writes_tell_their_headers_and_answers() -> None:
    patch = operation("change_gadget")
    headers = {each["$ref"].rpartition("/")[2] for each in patch["parameters"] if "$ref" in each}
    assert headers >= {"If-Match", "Idempotency-Key", "Prefer", "Change-Reason"}
    assert set(patch["requestBody"]["content"]) == {"application/json", "application/merge-patch+json"}
    assert set(patch["responses"]) >= {"200", "204", "400", "401", "403", "404", "409", "412", "422", "429"}
    assert {"ETag", "Log-Position"} <= set(patch["responses"]["200"]["headers"])
    assert "Location" in operation("create_gadget")["responses"]["201"]["headers"]


def test_a_patch_promises_no_defaults_because_what_is_left_out_stays() -> None:
    properties = DOCUMENT["components"]["schemas"]["GadgetUpdate"]["properties"]
    assert properties and not any("default" in each for each in properties.values())


def test_what_is_read_may_grow_and_what_is_sent_may_not() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert "additionalProperties" not in schemas["Gadget"] and schemas["GadgetCreate"]["additionalProperties"] is False
    assert set(schemas["Gadget"]["required"]) == set(gadgets.readable)
    assert "required" not in schemas["GadgetPart"] and "maker" in schemas["GadgetPart"]["properties"]


def test_refusals_are_problems() -> None:
    for response in DOCUMENT["components"]["responses"].values():
        assert response["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def routes() -> FastAPI:
    """An application with one hand-written route."""
    made = FastAPI()

    @made.get("/gadgets-today", tags=["today"])
    async def today(limit: int) -> list[int]:
        """How many there are today."""
        return [limit]

    return made


def test_hand_written_routes_are_in_it_with_the_same_refusals() -> None:
    made = document(house, doors_of(house), routes().openapi(), CONFIG)
    found = made["paths"]["/gadgets-today"]["get"]
    assert found["responses"]["422"] == {"$ref": "#/components/responses/Problem422"}
    assert "HTTPValidationError" not in made["components"]["schemas"]
    jsonschema_rs.Draft202012Validator(OPENAPI_31).validate(json.loads(json.dumps(made)))


def test_two_shapes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Two different shapes are called Gadget"):
        document(house, doors_of(house), {"components": {"schemas": {"Gadget": {"type": "string"}}}}, CONFIG)
    twin = type("Showing", (Shape,), {"__doc__": "Another.", "__annotations__": {"place": int}})
    doors = [replace(door, takes=twin) if door.operation == "restore" else door for door in doors_of(house)]
    assert any(door.verb and door.verb.body is Showing for door in doors)
    with pytest.raises(ValueError, match="the same name: Showing"):
        document(house, doors, {}, CONFIG)
