"""Words: how text becomes what is looked up, the same for what is indexed and for what is asked.

English words are cut at everything that is neither letter nor digit (`C++` and `C#` stay whole) and stemmed. Chinese has
no blanks: it is folded to one script and one vocabulary, so that 軟體 and 软件 are the same, and cut by a dictionary.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from guildhouse.kernel.at_hand import Once

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
# In text whose separators are blanks: `+` and `#` that end no word, and the end of those that do, where the next begins.
MISPLACED = re.compile(r"(?<!\S)[+#]+|(?<=[+#])(?=[^\s+#])")
# Where a text begins anew: behind an empty line, and with each item of a list that has a line of its own.
ANEW = re.compile(r"\n[^\S\n]*\n\s*|\n(?=[^\S\n]*(?:[-*\u2022\u2023\u25cf\u25aa\u00b7]|\d{1,2}[.)])\s)")
LONGEST = 60  # letters of a word; what is longer is not language
SHORT, LONG = 4, 8  # letters of a word in which there may be a typing error, or two
STEMS, WHOLE, RAW = "stems", "whole", "raw"
# Words that say nothing of what is looked for, unless they stand in capitals (IT) or alone.
EMPTY = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by for from has have i if in into is it its me my no not of on or our such than that "
        "the their then there these they this to was we were which will with you your",
    )
)

# Chinese signs that say as little, folded; others that stand side by side and are in no dictionary make a word: 後端, 高雄.
EMPTY_SIGNS = frozenset(
    "的地得之了着过吗呢吧啊么是有在到从对把被给让使为以于和与及或而且但就才也都还又再很太更最我你他她它您们这那此其每各个些"
    "不没别要想会能可应该请找"
)


class Apart(dict[int, str]):
    """What becomes of a sign where words are told apart by blanks, found out once for each."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        kind = unicodedata.category(sign)  # what it does not know yet (Cn) may be a letter
        self[code] = found = sign if kind[0] in "LNM" or kind == "Cn" or sign in "_+#" else " "
        return found


APART = Apart()


@cache
def analyzers() -> dict[str, TextAnalyzer]:
    """The analyzers by name: stemmed words, and whole ones for completion and for finding typing errors."""

    return {STEMS: cut_into_words().filter(Filter.stemmer("english")).build(), WHOLE: cut_into_words().build()}


def cut_into_words() -> TextAnalyzerBuilder:
    """The beginning of every analyzer: the text comes with its words `apart`, as a pattern would take five times as long."""
    cut = TextAnalyzerBuilder(Tokenizer.whitespace()).filter(Filter.remove_long(LONGEST))
    return cut.filter(Filter.lowercase()).filter(Filter.ascii_fold())


@Once
def chinese() -> tuple[Any, Any]:
    """What folds Chinese, and what cuts it (40 MB)."""
    import rjieba  # noqa: PLC0415
    from opencc import OpenCC  # noqa: PLC0415

    return OpenCC("tw2sp"), rjieba


def plain(text: str) -> str:
    """The text with wide and joined forms of its signs as the usual ones: those of East Asian keyboards too."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def apart(text: str) -> str:
    """The text with a blank for all that is neither letter nor digit; `+` and `#` stay where they end a word."""
    words = text.translate(APART)
    return MISPLACED.sub(" ", words) if "+" in words or "#" in words else words


def spaced(text: str) -> str:
    """The words of a text apart, its Chinese folded and cut into words, each also with the words inside it."""
    text = plain(text)
    if text.isascii() or not HAN.search(text):
        return apart(text)
    folding, cutting = chinese()
    return apart(HAN.sub(lambda run: f" {' '.join(cutting.cut_for_search(run[0], False))} ", folding.convert(text)))


def folded_script(text: str) -> str:
    """The text with its Chinese in the script and the vocabulary in which it is looked up."""
    return text if text.isascii() or not HAN.search(text) else str(chinese()[0].convert(text))


def parts(text: str) -> Iterator[tuple[int, str]]:
    """The paragraphs and items of a text, each with where it begins: a phrase is never of two of them."""
    start = 0
    for found in ANEW.finditer(text) if "\n" in text else ():
        yield start, text[start : found.start()]
        start = found.end()
    yield start, text[start:]


def signs(text: str) -> list[str]:
    """The Chinese signs of each run of a text, folded, one by one: found whatever the dictionary makes of them."""
    if text.isascii() or not HAN.search(text):
        return []
    folding, _ = chinese()
    return [" ".join(run) for run in HAN.findall(folding.convert(plain(text)))]


def stems(text: str) -> list[str]:
    """The words of a text as they are looked up."""
    return analyzers()[STEMS].analyze(spaced(text))


@lru_cache(maxsize=20_000)
def stems_of(phrase: str) -> tuple[str, ...]:
    """A phrase as it is looked up: one of those that come again and again."""
    return tuple(stems(phrase))


def whole(text: str) -> list[str]:
    """The words of a text as they are completed: in small letters, without accents, not stemmed."""
    return analyzers()[WHOLE].analyze(spaced(text))


@lru_cache(maxsize=20_000)
def whole_of(phrase: str) -> tuple[str, ...]:
    """A phrase as it is completed: one search asks for the same words again and again."""
    return tuple(whole(phrase))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """One word as it is looked up."""
    found = analyzers()[STEMS].analyze(apart(word))
    return found[0] if len(found) == 1 else word


def errors_in(word: str) -> int:
    """How many typing errors a word may have: none in a short one, two in a long one."""
    return 0 if len(word) < SHORT else 1 if len(word) < LONG else 2


def coarse(run: str) -> Sequence[str]:
    """A run of Chinese signs as its words, folded, none inside another."""
    folding, cutting = chinese()
    found: list[str] = cutting.cut(folding.convert(run), False)
    return found


def inside(word: str) -> Sequence[str]:
    """The shorter words that a folded Chinese word is made of: a place and what is there, in the name of something."""
    found = [each for each in chinese()[1].cut_for_search(word, False) if 1 < len(each) < len(word)]
    return found if "".join(found) == word else ()


@Once
def scripts() -> tuple[Any, Any]:
    """What turns Chinese into Simplified signs, one for one, and into Traditional ones (40 MB)."""
    from opencc import OpenCC  # noqa: PLC0415

    return OpenCC("t2s"), OpenCC("s2tw")


def simplified(text: str) -> str:
    """The text in Simplified signs, each in its place."""
    return text if text.isascii() else str(scripts()[0].convert(text))


def variants(text: str) -> list[str]:
    """Chinese as it is, in Simplified and in Traditional signs."""
    to_simplified, to_traditional = scripts()
    return list(dict.fromkeys([text, to_simplified.convert(text), to_traditional.convert(text)]))
