"""Words: everything public says what it is; nothing is unfinished; every setting and every error is explained."""

import ast
import re
from typing import get_args

import pytest
from pydantic_core.core_schema import ErrorType

from guildhouse import app
from guildhouse.config import Config
from guildhouse.kernel.errors import Problem, subclasses
from guildhouse.kernel.i18n import LANGUAGES, catalogue
from tests.house.source import Function, files, tree

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError|placeholder|for now)\b")
# Tests have problems of their own, which are not the product's.
OURS = [kind for kind in subclasses() if kind.__module__.startswith("guildhouse.")]
PROBLEMS = sorted(OURS, key=lambda kind: kind.code())


def test_every_file_class_and_public_function_has_a_docstring() -> None:
    missing = []
    for path in files():
        module = tree(path)
        if not ast.get_docstring(module):
            missing.append(path.name)
        for node in ast.walk(module):
            if (
                isinstance(node, Function | ast.ClassDef)
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
            ):
                missing.append(f"{path.name}:{node.lineno} {node.name}")
    nested = [each for each in missing if not is_nested(each)]
    assert nested == []


def is_nested(place: str) -> bool:
    """A function inside a function is read in its place and needs no words of its own."""
    if ":" not in place:
        return False
    name, _, rest = place.partition(":")
    line = int(rest.split()[0])
    path = next(path for path in files() if path.name == name and line <= len(path.read_text().splitlines()))
    return any(
        isinstance(outer, Function) and outer.lineno < line <= (outer.end_lineno or 0) for outer in ast.walk(tree(path))
    )


def test_nothing_is_unfinished() -> None:
    found = [f"{path.name}: {m[0]}" for path in files() for m in UNFINISHED.finditer(path.read_text(encoding="utf-8"))]
    assert found == []


def test_every_setting_is_described() -> None:
    for name, field in Config.model_fields.items():
        assert field.description, name


@pytest.mark.parametrize("kind", PROBLEMS, ids=lambda kind: kind.code())
def test_every_problem_has_a_message_in_every_language(kind: type[Problem]) -> None:
    assert app.HOUSE.resources  # every domain is loaded, and its problems with it
    assert kind.message().endswith((".", "`"))
    wanted = set(re.findall(r"{(\w+)}", kind.message()))
    for language in LANGUAGES[1:]:
        message = catalogue(language)["problems"].get(kind.code())
        assert message, f"{kind.code()} has no message in {language}"
        assert set(re.findall(r"{(\w+)}", message)) == wanted, kind.code()


def reasons() -> set[str]:
    """What is said within messages: the words that a `why` is given, and all that are a `Reason`."""
    found: set[str] = set()
    for path in files():
        for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            said = [each.value for each in call.keywords if each.arg == "why" and name[:1].isupper()]
            said += call.args[:1] if name in ("Reason", "unavailable") else []
            assert not any(isinstance(each, ast.JoinedStr) for each in said), f"{path.name}:{call.lineno}: a Reason"
            found |= {each.value for each in said if isinstance(each, ast.Constant)}
    return found


def test_every_reason_is_translated_with_the_same_places() -> None:
    found = reasons()
    assert "it takes a number" in found and "the disk is full" in found
    for language in LANGUAGES[1:]:
        known = catalogue(language)["reasons"]
        assert found - known.keys() <= {"behind"}  # of a problem whose own message has no place for it
        for text, told in known.items():
            assert set(re.findall(r"{(\w+)}", told)) == set(re.findall(r"{(\w+)}", text)), text


# Faults that pydantic finds in what no body here is made of: calls, classes, sets that do not change.
NOT_IN_JSON = re.compile(
    r"argument|frozen|instance|subclass|callable|dataclass|attribute|python|sentinel|ellipsis|fraction|complex|deque|counter|"
    r"ordered-dict|named-tuple|iteration|hashable|factory|depth-exceeded"
)


def fault_codes() -> set[str]:
    """Every code of a fault that the product makes itself, or has pydantic find."""
    found = {kind.replace("_", "-") for kind in get_args(ErrorType)}
    found = {code for code in found if not NOT_IN_JSON.search(code)}
    for path in files():
        for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            place = {"Fault": 1, "invalid": 1, "PydanticCustomError": 0}.get(name, len(call.args))
            said = call.args[place] if place < len(call.args) else None
            if isinstance(said, ast.Constant) and "locating" not in path.name:  # there a Fault is a break in the ground
                found.add(str(said.value).replace("_", "-"))
    return found


def test_every_fault_is_translated_and_no_translation_is_left_over() -> None:
    found = fault_codes()
    assert {"missing", "in-the-past", "unknown-noun", "web-address"} <= found
    for language in LANGUAGES[1:]:
        known = catalogue(language)
        assert sorted(found - {*known["faults"], *known["problems"]}) == []


def test_codes_are_unique() -> None:
    codes = [kind.code() for kind in PROBLEMS]
    assert len(codes) == len(set(codes))
