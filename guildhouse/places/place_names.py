"""Names of places as people write them: without case, accents and punctuation; with a region or a country behind a comma."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from unicodedata import combining, normalize

from guildhouse.kernel.importing.values import country_names, words_of

# Letters that no decomposition makes plain, and the common way to write 臺.
PLAIN = str.maketrans({
    "\u0131": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h", "ə": "e", "臺": "台",
    "'": "", "\u2018": "", "\u2019": "", "\u02bb": "", "\u02bc": "", "`": "",
})  # fmt: skip
SHORT = {"st": "saint", "ste": "sainte", "mt": "mount", "ft": "fort"}
SPLIT = re.compile(r"[,\uff0c\u3001]")
KIND = re.compile(r"(?<=[\u4e00-\u9fff]{2})[市縣县]$")  # 台北市 is 台北


@dataclass(frozen=True, slots=True)
class Region:
    """A state, a province: the code that people know, and its names without case and accents."""

    code: str
    names: frozenset[str]


def fold(text: str, *, whole: bool = True) -> str:
    """A name as it is looked up. The last word of one that is still being typed is not taken for a short one."""
    decomposed = normalize("NFKD", text.casefold())
    plain = "".join(c for c in decomposed if not combining(c)).translate(PLAIN)
    words = re.findall(r"[^\W_]+", plain)
    last = len(words) - (not whole)
    key = " ".join(SHORT.get(each, each) if n < last else each for n, each in enumerate(words))
    return KIND.sub("", key) if whole else key


@lru_cache(1000)
def without_accents(text: str) -> str:
    """The name of a region without case, accents and punctuation."""
    return fold(text)


@cache
def regions() -> Mapping[tuple[str, str], Region]:
    """The regions that people name towns with, by country and GeoNames' code."""
    table = tomllib.loads(files("guildhouse.places").joinpath("regions.toml").read_text(encoding="utf-8"))
    return {
        (country, code): Region(names[0], frozenset(map(fold, names)))
        for country, each in table.items()
        for code, names in each.items()
    }


def is_in(country: str, region: str, said: str) -> bool:
    """Whether what stands behind a comma fits a town: a country or a region of it, by name or code, or `US-OR`."""
    if country_names().get(words_of(said)) == country:
        return True
    known, text = regions().get((country, region)), without_accents(said)
    if known is None:
        return False
    return text in known.names or text == f"{country} {known.code}".lower()


def label_of(name: str, country: str, region: str) -> str:
    """A town with what tells it apart: `Portland, US-OR`; `Taipei, TW`."""
    known = regions().get((country, region))
    return f"{name}, {country}-{known.code}" if known else f"{name}, {country}"


def parted(text: str) -> tuple[str, tuple[str, ...]]:
    """The name, and what stands behind its commas."""
    name, *rest = (part.strip() for part in SPLIT.split(text))
    return name, tuple(part for part in rest if part)
