"""Languages: English is in the code, at the thing it speaks of; every other language is a catalogue in `locales/`.

A catalogue is TOML: `[problems]` has a message for each problem's code, `[faults]` one for each kind of fault.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

ENGLISH = "en"
LANGUAGES = (ENGLISH, "zh-TW")
# Browsers in Taiwan, Hong Kong and Macau ask for these; all read Traditional Chinese.
TRADITIONAL = ("zh-tw", "zh-hant", "zh-hk", "zh-mo", "zh")


def choose_language(accepted: str | None, chosen: str | None = None) -> str:
    """The best of our languages for an Accept-Language header; without one, the person's choice, else English."""
    if not accepted:
        return chosen if chosen in LANGUAGES else ENGLISH
    for tag in ranked(accepted):
        if tag == "en" or tag.startswith("en-"):
            return ENGLISH
        if tag in TRADITIONAL or tag.startswith("zh-hant"):
            return "zh-TW"
    return ENGLISH


def ranked(accepted: str) -> list[str]:
    """The tags of an Accept-Language header, the most wanted first; what is malformed counts as not there."""
    weighted = []
    for term in accepted[:500].split(","):
        tag, _, weight = term.partition(";q=")
        try:
            weighted.append((float(weight or 1), tag.strip().lower()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighted, key=lambda each: -each[0]) if weight > 0]


@cache
def catalogue(language: str) -> Mapping[str, Mapping[str, str]]:
    """The messages of a language by section and code; English has none of its own."""
    if language == ENGLISH:
        return {}
    text = files("guildhouse").joinpath("locales", f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def translated(section: str, code: str, language: str) -> str | None:
    """A message in a language, or None where the English one is to be used."""
    return catalogue(language).get(section, {}).get(code)
