"""Folding: text in the one form in which words are compared, and each sign still at its place.

Letters become small ones, what separates words becomes a blank; `+` and `#` belong to words, because of C++ and C#.
"""

import re
import unicodedata

# Neither alphabet nor blank: signs of which each may be a word.
HAN = "\u3400-\u9fff\uf900-\ufaff"
MEETING = re.compile(rf"(?<=[{HAN}])(?=[A-Za-z0-9.])|(?<=[A-Za-z0-9+#])(?=[{HAN}])")
# The sign that is looked for stands first: so a text without it is passed over at once.
WRAPPED = re.compile(r"\n(?<=[a-z,]\n)(?=[a-z])")
# What plain text has where blanks are not one at a time: two of them, and all other kinds.
UNTIDY = ("  ", "\t", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f")
PLUS_BETWEEN = re.compile(r"\+(?<=[^\s+]\+)(?=[A-Za-z])")


class Folds(dict[int, str]):
    """What becomes of a sign, found out once for each."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        small = sign.lower()
        self[code] = found = small if (sign.isalnum() and len(small) == 1) or sign in "+#" else " "
        return found


FOLDS = Folds()


def tidied(text: str) -> str:
    """Text with plain signs for full-width ones, one blank at a time, and a blank where Chinese meets the alphabet."""
    if not text.isascii():
        text = MEETING.sub(" ", unicodedata.normalize("NFKC", text))
    if "+" in text:
        text = PLUS_BETWEEN.sub(" ", text)
    if not is_tidy(text):
        text = "\n".join([" ".join(line.split()) for line in text.split("\n")])
    return WRAPPED.sub(" ", text) if "\n" in text else text


def is_tidy(text: str) -> bool:
    """Whether plain text has one blank at a time and none at its ends: so it is with most, and that is seen at once."""
    for each in UNTIDY:  # a loop, as this is asked of every text that comes in
        if each in text:
            return False
    lines = text.split("\n") if "\n" in text else (text,)
    return text.isascii() and all(line.strip(" ") == line for line in lines)


def folded(text: str) -> str:
    """Tidied text in small letters, separators as blanks: as long as it was."""
    return text.translate(FOLDS)


def is_han(sign: str) -> bool:
    """Whether a sign is Chinese."""
    return "\u3400" <= sign <= "\u9fff" or "\uf900" <= sign <= "\ufaff"
