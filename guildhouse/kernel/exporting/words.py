"""Words: what columns, nouns and filters are called in a file for people. Programs get the names themselves."""

from collections.abc import Mapping, Sequence

from guildhouse.kernel.exporting.wanted import PARAMETERS, Wanted
from guildhouse.kernel.filters import parse_name
from guildhouse.kernel.i18n import translated

OPERATORS: Mapping[str, str] = {
    "eq": "{name} is {value}",
    "ne": "{name} is not {value}",
    "gt": "{name} is above {value}",
    "gte": "{name} is at least {value}",
    "lt": "{name} is below {value}",
    "lte": "{name} is at most {value}",
    "in": "{name} is one of {value}",
    "nin": "{name} is none of {value}",
    "between": "{name} is between {value}",
    "within": "{name} is within the last {value}",
    "contains": "{name} contains {value}",
    "startswith": "{name} starts with {value}",
    "isnull-true": "{name} has no value",
    "isnull-false": "{name} has a value",
}
REPORT: Mapping[str, str] = {
    "rows": "{rows} rows",
    "made": "made at {at} UTC",
    "all": "no filters",
    "trash": "what is in the trash",
    "filters": "Filters: {filters}",
    "page": "Page {n} of {of}",
    "chart": "Rows by {name}",
    "yes": "yes",
    "no": "no",
}


def in_words(name: str) -> str:
    """A name of the code as words: `Salary max`."""
    return name.replace("_", " ").capitalize()


def noun_of(resource: str, language: str) -> str:
    """What the rows of a resource are called."""
    return translated("nouns", resource, language) or in_words(resource)


def field_of(resource: str, name: str, language: str) -> str:
    """What a field is called."""
    own = translated("fields", f"{resource}.{name}", language)
    return own or translated("fields", name, language) or in_words(name)


def headings(wanted: Wanted, language: str) -> list[str]:
    """What the columns are called, in their order; those of another row say whose they are."""
    found = [field_of(wanted.resource.name, name, language) for name in wanted.selection.fields]
    for name, target in wanted.targets.items():
        whose = field_of(wanted.resource.name, name, language)
        fields = wanted.selection.expand[name].fields
        found += [f"{whose}: {field_of(target.name, each, language)}" for each in fields]
    return found


def said(code: str, language: str, **values: object) -> str:
    """A phrase of a report."""
    return (translated("report", code, language) or REPORT[code]).format(**values)


def filters_in_words(resource: str, query: Sequence[tuple[str, str]], language: str) -> str:
    """The filters of a query string as a sentence."""
    found = [said("trash", language)] if ("trash", "only") in query else []
    for name, value in query:
        if name in PARAMETERS:
            continue
        column, operator = parse_name(name)
        code = f"isnull-{value}" if operator == "isnull" else operator
        template = translated("operators", code, language) or OPERATORS[code]
        found.append(template.format(name=field_of(resource, column, language), value=value.replace(",", ", ")))
    return said("filters", language, filters="; ".join(found)) if found else said("all", language)
