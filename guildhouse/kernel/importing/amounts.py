"""Amounts: numbers and money with the separators, scales and currencies that people write."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from guildhouse.kernel.importing.values import Hints, Unclear, tidy, words_of

# 1.2萬, 60k; a word of its own so that `3 mo` is no million.
SCALES = {
    "k": 1e3, "千": 1e3, "仟": 1e3, "m": 1e6, "mio": 1e6, "萬": 1e4, "万": 1e4, "w": 1e4, "百萬": 1e6, "億": 1e8, "亿": 1e8,
}  # fmt: skip
NUMBER = re.compile(
    r"([+\-−]?)\s*(\d[\d.,'’\u00a0 ]*|\.\d+)\s*(百萬|[千仟萬万億亿]|mio|[kmw](?![a-z]))?", re.IGNORECASE
)


# 3萬2千, 1億5000萬, and 3萬2, which means the same as 3萬2千.
COMPOUND = re.compile(r"(\d[\d.,]*)\s*([億亿萬万])\s*(\d[\d,]*)\s*([萬万千仟百])?(?![\d.萬万億亿千仟百人名個个])")
WITHIN = {"萬": 1e4, "万": 1e4, "千": 1e3, "仟": 1e3, "百": 1e2}


def number(text: str, hints: Hints, *, money: bool = False) -> float:
    """A number with the separators and scales of any country. Raises `Unclear`."""
    found = NUMBER.fullmatch(compounded(tidy(text).lower()))
    if found is None and re.fullmatch(r"[+\-−]?\d[\d.,]*\s*[%‰]", tidy(text)):
        raise Unclear("percent", "write this as a number without the percent sign")
    if found is None:
        raise Unclear("no-number", "this is no number")
    sign, digits, scale = found.groups()
    value = plain_number(digits.strip(" ,'’").rstrip("."), hints, money=money and not scale) * SCALES.get(
        scale or "", 1
    )
    return -round(value, 6) if sign in ("-", "−") else round(value, 6)


def compounded(text: str) -> str:
    """The text with numbers in two scales as one: `3萬2千` is 32000."""

    def whole(found: re.Match[str]) -> str:
        more, scale = found[3].replace(",", ""), found[4]
        within = WITHIN[scale] if scale else SCALES[found[2]] / 10 if len(more) == 1 else 1
        try:
            return f"{float(found[1].replace(',', '')) * SCALES[found[2]] + float(more) * within:.2f}".removesuffix(
                ".00"
            )
        except ValueError:
            return found[0]

    return COMPOUND.sub(whole, COMPOUND.sub(whole, text))


def plain_number(digits: str, hints: Hints, *, money: bool) -> float:
    """Digits with separators. The last of two different separators is the decimal one; one alone may be either."""
    digits = re.sub(r"['’\u00a0 ]", "", digits)
    separators = [each for each in digits if each in ".,"]
    if not separators:
        return float(digits)
    last = separators[-1]
    decimal: str | None = last
    if hints.decimal:
        decimal = hints.decimal
    elif len(separators) > 1:
        decimal = last if separators.count(last) == 1 else None
    elif re.fullmatch(r"\d{1,3}[.,]\d{3}", digits) and not digits.startswith("0"):
        decimal = None if money else one_separator(digits, last)
    return assembled(digits, decimal)


def one_separator(digits: str, separator: str) -> str:
    """`25.033` is a number with decimals; `25,033` may be thousands, or decimals where they write a comma."""
    if separator == ",":
        thousand, fraction = digits.replace(",", ""), digits.replace(",", ".")
        raise Unclear("ambiguous-number", "is this {first} or {second}? Say `decimal` for this column: . or ,",
                      first=thousand, second=fraction)  # fmt: skip
    return separator


def assembled(digits: str, decimal: str | None) -> float:
    """The number, groups of three checked."""
    whole, _, fraction = digits.partition(decimal) if decimal else (digits, "", "")
    groups = re.split(r"[.,]", whole)
    if (len(groups) > 1 and not all(len(each) == 3 for each in groups[1:])) or re.search(r"[.,]", fraction):
        raise Unclear("no-number", "this is no number")
    return float(f"{''.join(groups) or '0'}.{fraction or '0'}")


SYMBOLS = {
    "nt$": "TWD", "ntd": "TWD", "新臺幣": "TWD", "新台幣": "TWD", "us$": "USD", "美元": "USD", "美金": "USD", "hk$": "HKD",
    "港幣": "HKD", "s$": "SGD", "a$": "AUD", "au$": "AUD", "ca$": "CAD", "c$": "CAD", "€": "EUR", "歐元": "EUR", "£": "GBP",
    "rmb": "CNY", "人民幣": "CNY", "cn¥": "CNY", "jp¥": "JPY", "円": "JPY", "日圓": "JPY", "₩": "KRW", "₹": "INR",
    "fr.": "CHF", "zł": "PLN",
}  # fmt: skip
CODES = frozenset(re.findall(r"...", (
    "TWDUSDEURGBPJPYCNYHKDSGDAUDCADNZDCHFSEKNOKDKKPLNCZKHUFRONBGNKRWINRTHBMYRIDRPHPVNDBRLMXNARSCLPCOPPENZARNGNKESEGPMAD"
    "TRYILSAEDSARUAHGELMOPBDTPKRLKRNPRMMKKHRISKRSD"
)))  # fmt: skip
PERIODS = {
    "hour": ("hour", "hr", "h", "hourly", "時", "小時", "時薪", "stunde"),
    "day": ("day", "daily", "d", "日", "天", "日薪", "tag"),
    "week": ("week", "weekly", "wk", "週", "周", "週薪", "woche"),
    "month": ("month", "monthly", "mo", "mth", "月", "月薪", "monat"),
    "year": ("year", "yearly", "yr", "annum", "annual", "annually", "pa", "p.a", "年", "年薪", "jahr", "y"),
}
NOT_SAID = frozenset(
    map(words_of, ("negotiable", "doe", "tbd", "n/a", "面議", "面议", "待遇面議", "依公司規定", "-", "competitive"))
)


# How often it is paid in a year, which is no amount: `保障14個月`.
TIMES = re.compile(r"(?:保障|[x×*])?\s*\d+(?:\.\d+)?\s*(?:個月|个月|months?\b)\s*[x×*]?")
# What comes on top, and has no amount.
EXTRAS = re.compile(r"\+\s*(?:ote|bonus(?:es)?|commissions?|equity|benefits|tips|super|獎金|奖金|分紅|抽成|績效)")
# A word that a number belongs to: of a grade, not of money.
GRADE = re.compile(r"(?<![a-z0-9])([a-z]{1,5})-?(?=\d)")
BEFORE_AMOUNTS = frozenset(("to", "bis", "ab", "from", "ca", "c", "max", "min", "up", "about", "von"))


@dataclass(frozen=True, slots=True)
class Pay:
    """What was written about pay: an amount or two, the currency and the period, as far as they were said."""

    low: float | None = None
    high: float | None = None
    currency: str | None = None
    period: str | None = None


def pay(text: str, hints: Hints) -> Pay:
    """`NT$60k-80k / month`, `月薪 60,000~80,000 元`, `年薪 100 萬以上`, `面議`. Raises `Unclear`."""
    said = compounded(tidy(text).lower())
    if words_of(said) in NOT_SAID:
        return Pay()
    currency, period = currency_in(said), period_in(said)
    said = EXTRAS.sub("", TIMES.sub(" ", said)).strip()
    check_amounts(said)
    amounts = [number(each[0].strip(), hints, money=True) for each in NUMBER.finditer(amounts_of(said))]
    if not 1 <= len(amounts) <= 2:
        raise Unclear("no-number", "this is no number")
    low, high = ends_of(said, amounts)
    if low is not None and high is not None and low > high:
        raise Unclear("unclear-pay", "write one amount, or two as from - to")
    return Pay(low, high, currency, period)


def check_amounts(said: str) -> None:
    """Raise `Unclear` for numbers that are no amounts: of a grade, below nothing, or two that are no two ends."""
    grades = {word for word in GRADE.findall(said) if word not in BEFORE_AMOUNTS and not currency_in(word)}
    bare = amounts_of(said)
    between = re.findall(r"\d\D*", bare)
    apart = len(NUMBER.findall(bare)) == 2 and not any("|" in each for each in between)
    if grades or apart or re.match(r"[-−]\s*\d", said):
        raise Unclear("unclear-pay", "write one amount, or two as from - to")


def ends_of(said: str, amounts: Sequence[float]) -> tuple[float | None, float | None]:
    """Both ends of what is paid; one of them stays open where the text says so."""
    ends = scaled_alike(said, amounts)
    low: float | None = ends[0]
    high: float | None = ends[1]
    if re.search(r"以上|起|\bfrom\b|\+|at least|^>", said):
        high = None
    if re.search(r"以下|up to|\bmax|^<", said) and len(amounts) == 1:
        low = None
    return low, high


def amounts_of(said: str) -> str:
    """The text with what stands between two amounts made a bar, so that a dash is no minus."""
    return re.sub(r"\s*(?:~|–|—|-|－|～|至|到|\bto\b|\bbis\b)\s*", " | ", said)


def scaled_alike(said: str, amounts: Sequence[float]) -> tuple[float, float]:
    """Both ends; `60-80k` means 60k, as well."""
    low, high = amounts[0], amounts[-1]
    scales = [each[3] for each in NUMBER.finditer(amounts_of(said))]
    if len(amounts) == 2 and not scales[0] and scales[1] and low < 1000:
        low *= SCALES[scales[1]]
    return low, high


def currency_in(said: str) -> str | None:
    """The currency that a text names; a bare `$` names none."""
    for symbol, code in SYMBOLS.items():
        if symbol in said:
            return code
    found = [word for word in re.findall(r"[a-z]{3}", said.lower()) if word.upper() in CODES]
    return found[0].upper() if found else None


def period_in(said: str) -> str | None:
    """The period that a text names."""
    said = re.sub(r"日[圓元幣币]", "", said)
    for period, words in PERIODS.items():
        for word in words:
            if (not word.isascii() and word in said) or re.search(
                rf"(?:\b(?:per|an?)\s*|/\s*|\b){re.escape(word)}\b", said
            ):
                return period
    return None


def currency(text: str, _hints: Hints) -> str:
    """A currency by its code or its sign."""
    said = tidy(text).lower()
    found = currency_in(said) or (said.upper() if re.fullmatch(r"[a-z]{3}", said) else None)
    if found is None:
        raise Unclear("unknown-currency", "write the code of the currency, such as TWD")
    return found
