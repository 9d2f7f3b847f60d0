"""Makes `guildhouse/vocabulary/onet.json.xz` from the text tables of the O*NET database. Run by hand, for a new release.

    python tools/onet.py 29.2 DIRECTORY

DIRECTORY holds technology_skills.txt, occupation_data.txt, alternate_titles.txt and related_occupations.txt, as
https://www.onetcenter.org/database.html offers them. The same tables make the same bytes.
"""

import csv
import lzma
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

TARGET = Path(__file__).parent.parent / "guildhouse" / "vocabulary" / "onet.json.xz"
CODE = "O*NET-SOC Code"
# Whose name people leave out: "Photoshop" is enough.
MAKERS = ("Adobe", "Apache", "Apple", "Atlassian", "Autodesk", "Cisco", "Dassault Systemes", "ESRI", "Google",
          "HashiCorp", "IBM", "Intuit", "JetBrains", "Microsoft", "Oracle", "SAP", "The MathWorks")  # fmt: skip
WORD = re.compile(r"[a-z]+")
ACRONYM = re.compile(r"(.*\S) ([A-Z][A-Za-z0-9]{1,6})$")

Table = Sequence[Mapping[str, str]]


def main() -> None:
    """Write the file, and say how large it is."""
    release, directory = sys.argv[1:]
    content = packed(release, Path(directory))
    TARGET.write_bytes(content)
    print(f"{TARGET.name}: {len(content):,} bytes")


def packed(release: str, directory: Path) -> bytes:
    """The file's bytes: JSON, compressed, the same for the same tables."""
    return lzma.compress(orjson.dumps(derived(release, directory)), preset=9 | lzma.PRESET_EXTREME)


def derived(release: str, directory: Path) -> dict[str, Any]:
    """What the house keeps of the tables. Occupations and commodities are named by their places in their lists."""
    tools, occupations, alternates, related = (
        table(directory / f"{name}.txt")
        for name in ("technology_skills", "occupation_data", "alternate_titles", "related_occupations")
    )
    codes = sorted({row[CODE] for row in occupations})
    commodities = sorted({row["Commodity Title"] for row in tools})
    everyday = words_of(row["Description"] for row in occupations) | words_of(
        row["Alternate Title"] for row in alternates
    )
    return {
        "release": release,
        "commodities": commodities,
        "occupations": occupations_of(codes, occupations, alternates, related),
        "tools": tools_of(codes, commodities, tools, everyday),
    }


def table(path: Path) -> Table:
    """The rows of one of the tables."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def words_of(texts: Iterable[str]) -> set[str]:
    """The words that people use of work: a tool that is called by one of them is not meant wherever it stands."""
    return {word for text in texts for word in WORD.findall(text.lower())}


def occupations_of(codes: Sequence[str], occupations: Table, alternates: Table, related: Table) -> list[Any]:
    """For each code: the code, its title, its other titles (with the short form where there is one), those near it."""
    titles = {row[CODE]: row["Title"] for row in occupations}
    others: dict[str, list[Any]] = defaultdict(list)
    for row in sorted(alternates, key=lambda row: row["Alternate Title"]):
        short = row["Short Title"]
        others[row[CODE]].append(row["Alternate Title"] if short == "n/a" else [row["Alternate Title"], short])
    near: dict[str, list[int]] = defaultdict(list)
    for row in sorted(related, key=lambda row: int(row["Index"])):
        near[row[CODE]].append(codes.index(row["Related O*NET-SOC Code"]))
    return [[code, titles[code], others[code], near[code]] for code in codes]


def tools_of(codes: Sequence[str], commodities: Sequence[str], tools: Table, everyday: set[str]) -> list[Any]:
    """For each tool: its name, how it is spelled, whether it is hot (1) or in demand (2), its kind, and who uses it."""
    places = {code: place for place, code in enumerate(codes)}
    users: dict[str, list[int]] = defaultdict(list)
    marks: Counter[str] = Counter()
    kinds: dict[str, int] = {}
    for row in tools:
        name = row["Example"]
        users[name].append(places[row[CODE]])
        marks[name] |= (row["Hot Technology"] == "Y") | (row["In Demand"] == "Y") << 1
        kinds.setdefault(name, commodities.index(row["Commodity Title"]))
    names = sorted(users)
    shared = Counter(acronym for name in names if (acronym := split_acronym(trimmed(name))[1]))
    return [[name, spelled(name, shared, everyday), marks[name], kinds[name], sorted(users[name])] for name in names]


def spelled(name: str, shared: Mapping[str, int], everyday: set[str]) -> list[str]:
    """The spellings of a tool, the best first. Their marks are explained in the supplement."""
    plain, acronym = split_acronym(trimmed(name))
    found = [plain]
    if acronym and shared[acronym] == 1 and len(acronym) > 2 and acronym.lower() not in everyday:
        found.append(f"?{acronym}")
    for maker in MAKERS:
        rest = plain.removeprefix(f"{maker} ")
        if rest != plain and is_brand(rest):
            found.append(rest)
    return [marked(each, everyday) for each in found]


def marked(spelling: str, everyday: set[str]) -> str:
    """The spelling with its mark."""
    if spelling.startswith("?"):
        return spelling
    if " " in spelling:
        return f"?{spelling}" if is_everyday_phrase(spelling, everyday) else spelling
    if len(spelling) <= 2 or spelling.lower() in everyday:
        return f"?{spelling}"
    return spelling if len(spelling) > 4 and not spelling.isupper() else f"={spelling}"


def is_everyday_phrase(spelling: str, everyday: set[str]) -> bool:
    """Whether it is a name of two words that people say of work anyway: Site Manager, Restaurant Manager."""
    first, second = spelling.split(" ", 1)
    plain = first not in MAKERS and second.isalpha() and second[0].isupper()
    return plain and everyday.issuperset(WORD.findall(spelling.lower()))


def trimmed(name: str) -> str:
    """The name without what is in brackets, and of a brand without the word software."""
    plain = re.sub(r"\s*\([^)]*\)", "", name).strip()
    for tail in (" software", " systems", " system"):
        rest = plain.removesuffix(tail)
        if rest != plain and (is_brand(rest.split()[0]) or split_acronym(rest)[1]):
            return rest
    return plain


def split_acronym(name: str) -> tuple[str, str]:
    """A name that ends with its own acronym, in two: "Geographic information system GIS"."""
    match = ACRONYM.match(name)
    if not match:
        return name, ""
    initials = "".join(word[0] for word in re.findall(r"[A-Za-z0-9]+", match[1])).upper()
    letters = match[2].upper()
    return (match[1], match[2]) if len(letters) > 1 and initials.endswith(letters) else (name, "")


def is_brand(word: str) -> bool:
    """Whether a word is written as no ordinary word is: MeteorJS, dBASE, PL/SQL."""
    return len(word) > 3 and " " not in word and any(sign.isupper() for sign in word[1:])


if __name__ == "__main__":
    main()
