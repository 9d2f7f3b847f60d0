"""Occupations: O*NET's 1,016 kinds of work, and which of them a title belongs to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from guildhouse.kernel.at_hand import Once
from guildhouse.vocabulary import shipped
from guildhouse.vocabulary.skills import own_name
from guildhouse.vocabulary.titles import BRACKETS, readings, title_key

HOT, IN_DEMAND = 1, 2
# What stands between the titles that an occupation's title is made of.
PARTS = re.compile(r",\s+and\s+|,\s+|\s+and\s+")


@dataclass(frozen=True, slots=True)
class Occupation:
    """A kind of work: its code, such as 15-1254.00, its title in the plural, and the codes of those that are near to it.

    `parts` are those that its title names one after the other, if people use them alone: of Plumbers, Pipefitters, and
    Steamfitters the three.
    """

    code: str
    title: str
    near: tuple[str, ...]
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Register:
    """All occupations by code; whose a title is, where it is one's alone; and pairs of long and short forms."""

    occupations: Mapping[str, Occupation]
    owners: Mapping[str, str]
    forms: Mapping[str, tuple[str, ...]]


@Once
def register() -> Register:
    """The register, out of the shipped facts and the supplement: which of the titles mean one occupation only."""
    facts = shipped.tables()["occupations"]
    codes = [code for code, *_ in facts]
    found = {
        code: Occupation(code, title, tuple(codes[n] for n in near), parts_of(title, others))
        for code, title, others, near in facts
    }
    owners: dict[str, str | None] = {}
    forms: dict[str, dict[str, None]] = {}
    for code, same in ((code, forms_of(title)) for code, _, others, _ in facts for title in others):
        for key in same:
            owners[key] = code if owners.get(key, code) == code else None
            if len(same) > 1:
                forms.setdefault(key, {}).update(dict.fromkeys(same))
    owners |= {title_key(each.title): code for code, each in found.items()}
    owners |= {title_key(each): code for code, lists in decided().items() for same in lists for each in same}
    alone = {key: code for key, code in owners.items() if code}
    return Register(found, alone, {key: tuple(same) for key, same in forms.items() if key in alone})


def decided() -> Mapping[str, list[list[str]]]:
    """The titles whose occupation the supplement says, in lists of those that mean the same."""
    found: Mapping[str, list[list[str]]] = shipped.supplement()["titles"]
    return found


def forms_of(title: str | list[str]) -> list[str]:
    """The keys of an alternate title. One that has a short form, has the other of the two in brackets."""
    if isinstance(title, str):
        return [title_key(BRACKETS.sub(" ", title) if "(" in title else title)]
    outside, _, inside = title[0].partition("(")
    return list(dict.fromkeys(key for each in (outside, inside) if (key := title_key(each))))


def parts_of(title: str, others: list[str | list[str]]) -> tuple[str, ...]:
    """The parts of an occupation's title that are among its alternate titles, too."""
    said = [title_key(each) for each in PARTS.split(title.split(", Except", maxsplit=1)[0])]
    if len(said) == 1:
        return ()
    used = {key for each in others for key in forms_of(each)}
    return tuple(said) if used.issuperset(said) else ()


@lru_cache(20_000)  # the same titles come again and again
def occupation_of(title: str) -> Occupation | None:
    """The occupation that a job's title names; None where nobody can tell, as of a "Manager"."""
    known = register()
    code = next((known.owners[each] for each in readings(title) if each in known.owners), None)
    return known.occupations[code] if code else None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that people of an occupation use; whether employers in general ask for it, and in this occupation."""

    name: str
    hot: bool
    in_demand: bool


def names_of(code: str) -> list[str]:
    """What people call an occupation, besides its title: what the supplement says first, then O*NET's alternate titles."""
    others = next(others for each, _, others, _ in shipped.tables()["occupations"] if each == code)
    said = [each for same in decided().get(code, ()) for each in same]
    return [*said, *(each if isinstance(each, str) else each[0] for each in others)]


def tools_of(code: str) -> list[Tool]:
    """The tools of an occupation, those that are asked for most first."""
    facts = shipped.tables()
    place = next(n for n, (each, *_) in enumerate(facts["occupations"]) if each == code)
    renamed = shipped.supplement()["renamed"]
    used = [(-mark, own_name(name, texts, renamed)) for name, texts, mark, _, users in facts["tools"] if place in users]
    return [Tool(name, bool(-mark & HOT), bool(-mark & IN_DEMAND)) for mark, name in sorted(used)]
