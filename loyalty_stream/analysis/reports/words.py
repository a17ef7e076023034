"""How reports speak: their texts in both languages, and how amounts, points, shares and dates are written.

It must not know what any report says.
"""

import tomllib
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
TEXTS_FILE: Final = Path(__file__).parent.parent / "templates" / "texts.toml"
"""Section -> name -> the text in the order of LANGUAGES."""

DASH: Final = "\N{EN DASH}"
"""Stands where there is no figure."""
MINUS: Final = "\N{MINUS SIGN}"

_NO_MINOR_UNIT: Final = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "XPF"})
"""Currencies whose unit is not divided (ISO 4217)."""
_THREE_DIGITS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_CHINESE_UNIT: Final = {"CNY": "元", "USD": "美元", "EUR": "欧元", "HKD": "港元", "JPY": "日元"}
_TEN_THOUSAND: Final = 10_000
_ROUND_FROM: Final = 1_000
"""Amounts from here on are shown without their minor unit."""


def read_texts() -> dict[str, tuple[str, str]]:
    """All texts by `section.name`, each in English and in Chinese."""
    sections = tomllib.loads(TEXTS_FILE.read_text(encoding="utf-8"))
    return {
        f"{section}.{name}": (both[0], both[1])
        for section, named in sections.items()
        for name, both in named.items()
    }


class Words:
    """A language and a currency: every figure and text of a report is written by it."""

    def __init__(self, language: Language, currency: str = "CNY") -> None:
        self.language = language
        self.currency = currency
        self._place = LANGUAGES.index(language)
        self._texts = read_texts()
        digits = 0 if currency in _NO_MINOR_UNIT else 3 if currency in _THREE_DIGITS else 2
        self._digits = digits
        self._minor_units = 10**digits

    def __call__(self, key: str, **given: object) -> str:
        """The text of a key, with its places filled. KeyError where there is none: a defect of ours."""
        return self._texts[key][self._place].format(**given)

    def named(self, section: str, name: str) -> str:
        """The text of a name that data brings, such as a reason; itself where we have no word for it."""
        key = f"{section}.{name or 'none'}"
        return self(key) if key in self._texts else name

    # -- figures ----------------------------------------------------------------------------------------

    def money(self, minor: float) -> str:
        """An amount in minor units, in the currency; whole units where it is large."""
        value = minor / self._minor_units
        chinese = self.language == "zh"
        if chinese and abs(value) >= _TEN_THOUSAND:
            return f"{_short(value / _TEN_THOUSAND, 2)}\N{NO-BREAK SPACE}万{self._unit}"
        number = self.plain_money(minor)
        if chinese:
            return f"{number}\N{NO-BREAK SPACE}{self._unit}"
        sign, bare = (MINUS, number[1:]) if number.startswith(MINUS) else ("", number)
        return f"{sign}{self.currency}\N{NO-BREAK SPACE}{bare}"

    def plain_money(self, minor: float) -> str:
        """An amount in minor units without the currency, where a heading names it (`in_currency`)."""
        value = minor / self._minor_units
        return _minus(f"{value:,.{0 if abs(value) >= _ROUND_FROM else self._digits}f}")

    def in_currency(self, heading: str) -> str:
        """A heading of amounts that are written without their currency."""
        return (
            f"{heading}\N{FULLWIDTH LEFT PARENTHESIS}{self._unit}\N{FULLWIDTH RIGHT PARENTHESIS}"
            if self.language == "zh"
            else f"{heading} ({self.currency})"
        )

    def count(self, value: float) -> str:
        """A whole number, as of points or customers."""
        return _minus(f"{value:,.0f}")

    def decimal(self, value: float, digits: int = 2) -> str:
        """A number with so many decimals."""
        return _minus(f"{value:,.{digits}f}")

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share as a percentage; a dash where there is none."""
        return DASH if share is None else _minus(f"{share * 100:,.{digits}f} %")

    def signed(self, share: float | None) -> str:
        """A change as a percentage with its sign; a dash where there is none."""
        return DASH if share is None else _minus(f"{share * 100:+,.1f} %")

    def compact(self, value: float) -> str:
        """A number as short as an axis has room for."""
        steps = (
            ((10**8, "亿"), (10**4, "万"))
            if self.language == "zh"
            else ((10**9, "bn"), (10**6, "m"), (10**3, "k"))
        )
        for size, name in steps:
            if abs(value) >= size:
                return f"{_short(value / size, 1)}{name}"
        return _short(value, 2)

    def compact_money(self, minor: float) -> str:
        """An amount in minor units as short as an axis has room for, without the currency."""
        return self.compact(minor / self._minor_units)

    # -- dates ------------------------------------------------------------------------------------------

    def day(self, value: date) -> str:
        """A date; of an instant, its day."""
        return (
            f"{value.year}年{value.month}月{value.day}日" if self.language == "zh" else f"{value:%-d %b %Y}"
        )

    def instant(self, value: datetime) -> str:
        """A local time, to the minute; midnight as its day alone."""
        return self.day(value) if value.time() == datetime.min.time() else f"{self.day(value)} {value:%H:%M}"

    def until(self, end: datetime) -> str:
        """The last moment before a local instant: its day before where it is midnight."""
        whole_days = end.time() == datetime.min.time()
        return self.day(end - timedelta(days=1)) if whole_days else self.instant(end)

    def month(self, value: date) -> str:
        return (
            f"{value.year}年{value.month}月"
            if self.language == "zh"
            else f"{value:%b}\N{NO-BREAK SPACE}{value.year}"
        )

    def month_tick(self, value: date, *, first: bool) -> str:
        """A month on an axis, with its year where that is new."""
        name = f"{value.month}月" if self.language == "zh" else f"{value:%b}"
        return f"{name}\n{value.year}" if first or value.month == 1 else name

    @property
    def _unit(self) -> str:
        return _CHINESE_UNIT.get(self.currency, self.currency)


def _short(value: float, digits: int) -> str:
    number = f"{value:,.{digits}f}"
    return _minus(number.rstrip("0").rstrip(".") if "." in number else number)


def _minus(number: str) -> str:
    """With the sign that a minus is, and no minus before nothing."""
    bare = number.lstrip("-")
    if number.startswith("-"):
        return f"{MINUS}{bare}" if any(digit in "123456789" for digit in bare) else bare
    return number
