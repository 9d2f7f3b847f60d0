"""One writer: rows of resources are written by the store and its bulk twin only."""

import inspect
import re

from guildhouse.app import HOUSE
from tests.house.source import ROOT, files, texts

WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|COPY)\s+\"?(\w*)")
# What they write is no resource: keys, answers and counts of the server itself.
COUNTS = {"search_tallies", "search_askers", "search_ranks"}
OWN_TABLES = {"secrets", "idempotency_keys", "operation_chunks", "task_attempts", *COUNTS}


def test_domains_hold_no_sql_that_writes() -> None:
    found = []
    for path in files():
        if path.is_relative_to(ROOT / "kernel"):
            continue
        for line, text in texts(path):
            found += [
                f"{path.name}:{line} {m[0]}" for m in WRITES.finditer(text) if m[2].lower() not in OWN_TABLES | {"set"}
            ]
    assert found == []


def test_only_the_store_and_its_bulk_twin_name_tables_they_are_given() -> None:
    """A write to a table whose name is filled in is a write to any resource."""
    writers = set()
    for path in files("kernel"):
        source = path.read_text(encoding="utf-8")
        if re.search(r"(INSERT INTO|UPDATE|DELETE FROM) \"\{", source):
            writers.add(path.name)
    assert writers == {"store.py", "bulk_writing.py"}


def test_no_file_names_a_resource_in_a_write() -> None:
    for path in files():
        for line, text in texts(path):
            for match in WRITES.finditer(text):
                assert match[2] not in HOUSE.resources, f"{path.name}:{line}"


def test_what_judges_a_row_asks_through_its_context() -> None:
    """So it finds what a batch has judged before, and does not meet the statement that writes it."""
    for resource in HOUSE.resources.values():
        for judging in (*resource.rules, resource.shapes.derive):
            assert judging is None or "ctx.connection" not in inspect.getsource(judging), f"{resource.name}: {judging}"
