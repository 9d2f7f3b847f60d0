"""The document of a row in the index: made from the row as the database has it now, whatever a change said of it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tantivy import Document

from guildhouse.kernel.row import Values
from guildhouse.kernel.scopes import is_narrower
from guildhouse.kernel.searching.in_sight import listed_under
from guildhouse.kernel.searching.index_schema import (
    CIRCLE,
    EYES,
    HIGH,
    KEY,
    LOW,
    SAMPLE,
    SAMPLES,
    SCOPES,
    Noun,
    as_indexed,
)
from guildhouse.kernel.searching.tokens import parts, signs, spaced

HALF = 2**64 - 1


def documents_of(noun: Noun, record: Values) -> Iterator[Document]:
    """The row's document; where some text is not for all who see the row, one more for each circle that sees more."""
    common = [name for name in noun.text if name not in noun.split]
    made = document(noun, record, common)
    yield seen_by_eyes(made, record["scopes"]) if noun.split else made
    for eyes, columns in circles(noun, record):
        made = document(noun, record, [*common, *columns])
        made.add_text(CIRCLE, noun.name)
        yield seen_by_eyes(made, eyes)


def circles(noun: Noun, record: Values) -> Iterator[tuple[Iterable[str], Sequence[str]]]:
    """The scopes of each circle, and the columns that all of it sees, if it sees the row."""
    if not noun.split:
        return
    row = noun.resource.table.of(record)
    seen = {name: frozenset(noun.resource.shapes.audience[name](row)) for name in noun.split if record[name]}
    for eyes in dict.fromkeys(seen.values()):
        yield eyes, [name for name, others in seen.items() if is_narrower(eyes, others)]


def seen_by_eyes(made: Document, eyes: Iterable[str]) -> Document:
    """The document, for those eyes only: whoever sees it holds one of these scopes, too."""
    for scope in eyes:
        made.add_text(EYES, scope)
    return made


def document(noun: Noun, record: Values, columns: Sequence[str]) -> Document:
    """One document of a row, with the text of these columns."""
    made = Document()
    number = int(record["id"].replace("-", ""), 16)
    made.add_text(KEY, record["id"])
    made.add_unsigned(HIGH, number >> 64)
    made.add_unsigned(LOW, number & HALF)
    for level in samples_of(number):
        made.add_text(SAMPLE, level)
    for scope in listed_under(record["scopes"]):
        made.add_text(SCOPES, scope)
    add_text(made, noun, record, columns)
    add_values(made, noun, record)
    return made


def samples_of(number: int) -> Iterator[str]:
    """The samples that a row is in, by the number of its id, whose end is chance: each has a quarter of the one before."""
    for level in range(1, SAMPLES + 1):
        if number % 4**level:
            return
        yield str(level)


def add_text(made: Document, noun: Noun, record: Values, columns: Sequence[str]) -> None:
    """The words of the columns: all together, each column's own, and those that are completed.

    Between what is added one after the other the engine leaves a place free, so that no phrase runs over.
    """
    for name in columns:
        for said in parts_of(record[name]):
            words = spaced(said)
            for field in noun.word_fields[name]:
                made.add_text(field, words)
            for run in () if said.isascii() else signs(said):
                made.add_text(f"{noun.name}~signs", run)


def parts_of(value: Any) -> Iterable[str]:
    """A column's text in parts: the items of a list, the paragraphs of a text."""
    if not value or isinstance(value, list):
        return value or ()
    return [part for _, part in parts(value) if part]


def add_values(made: Document, noun: Noun, record: Values) -> None:
    """The values that one filters, sorts and counts by."""
    for name, field, sort in noun.value_fields:
        value = record[name]
        if value is None:
            continue
        if isinstance(value, str):
            made.add_text(field, value)
        elif sort == "word":
            for each in value if isinstance(value, list) else (value,):
                made.add_text(field, each if isinstance(each, str) else as_indexed(each))
        elif sort == "number":
            made.add_float(field, float(value))
        else:
            made.add_integer(field, as_indexed(value))
