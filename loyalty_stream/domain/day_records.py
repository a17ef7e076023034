"""What an account counts by local day as a few bytes: its daily counters, and its runs of check-in days.

It must not know what is counted. Day by day, one byte after the other, whose first bit tells what follows:

0x00-0x7D  a day, so many after the one before
0x7E       a day, two bytes (unsigned) after the one before: mostly the first
0x7F       a day, eight bytes (signed) after the one before
0x80-0xFF  of that day: of what (bits 4-6) how many (bits 0-3; 14: two bytes follow, 15: eight, signed)

What: 0 to 2 are the counters `_NAMES`, 3 is that of a game whose name follows, 4 of the game that was named last, 5 any
other whose name follows, 6 a run that begins on this day with its length, 7 says that there is nothing. A day of which
nothing is said begins a run of one. A name is a byte of length (255: three more have it) and UTF-8.
"""

from typing import Final

from mypy_extensions import mypyc_attr

_MORE_DAYS: Final = 0x7E
_ANY_DAYS: Final = 0x7F
_OF_DAY: Final = 0x80
_MOST_HERE: Final = 13
_TWO_BYTES: Final = 14
_EIGHT_BYTES: Final = 15
_NAMES: Final[tuple[str, ...]] = ("review", "share", "points")
_CODES: Final = {name: code for code, name in enumerate(_NAMES)}
_GAME: Final = 3
_SAME_GAME: Final = 4
_OTHER: Final = 5
_RUN: Final = 6
_NOTHING: Final = 7
_GAMES: Final = "game:"
_LONG: Final = 255


@mypyc_attr(acyclic=True)
class Days:
    """Local day -> counter name -> count, and runs of days, first day and length, in order."""

    __slots__ = ("daily", "streaks")

    def __init__(self, daily: dict[int, dict[str, int]], streaks: list[tuple[int, int]]) -> None:
        self.daily = daily
        self.streaks = streaks

    def __reduce__(self) -> tuple[object, ...]:  # compiled, it could not be copied otherwise
        return Days, (self.daily, self.streaks)


def pack(days: Days) -> bytes:
    """All of it; a day or a number of more than 64 bits is an OverflowError."""
    daily, streaks = days.daily, days.streaks
    if not daily and not streaks:
        return b""
    found: list[int] = []
    counted = sorted(daily) if len(daily) > 1 else [day for day in daily]  # noqa: C416 - compiled, half of list()
    runs = sorted(streaks) if len(streaks) > 1 else streaks
    at = before = place = 0
    game = ""
    while at < len(counted) or place < len(runs):
        day = counted[at] if at < len(counted) else runs[place][0]
        if place < len(runs) and runs[place][0] < day:
            day = runs[place][0]
        _add_day(found, day - before)
        before = day
        is_counted = at < len(counted) and counted[at] == day
        if is_counted:
            game = _add_counters(found, daily[day], game)
            at += 1
        while place < len(runs) and runs[place][0] == day:
            length = runs[place][1]
            if is_counted or length != 1:
                _add_count(found, _RUN, length)
            place += 1
    return bytes(found)


def _add_counters(found: list[int], counters: dict[str, int], game: str) -> str:
    """`game` is the one named last; so is what it returns."""
    if not counters:
        _add_count(found, _NOTHING, 0)
    for counter, count in counters.items():
        code = _CODES.get(counter, _OTHER)
        if code == _OTHER and counter.startswith(_GAMES):
            code = _SAME_GAME if counter == game else _GAME
        _add_count(found, code, count)
        if code == _GAME:
            game = counter
            _add_name(found, counter[len(_GAMES) :])
        elif code == _OTHER:
            _add_name(found, counter)
    return game


def unpack(packed: bytes) -> Days:
    """The counters and the runs again; LookupError or ValueError for bytes that are none."""
    daily: dict[int, dict[str, int]] = {}
    streaks: list[tuple[int, int]] = []
    game = ""
    at = day = 0
    while at < len(packed):
        step, at = _step_at(packed, at)
        day += step
        if at == len(packed) or packed[at] < _OF_DAY:
            streaks.append((day, 1))
        while at < len(packed) and packed[at] >= _OF_DAY:
            code = packed[at] >> 4 & 7
            count, at = _count_at(packed, at)
            if code == _RUN:
                streaks.append((day, count))
                continue
            counters = daily.setdefault(day, {})
            if code < _GAME:
                counters[_NAMES[code]] = count
            elif code == _SAME_GAME:
                counters[game] = count
            elif code != _NOTHING:
                name, at = _name_at(packed, at)
                if code == _GAME:
                    name = game = f"{_GAMES}{name}"
                counters[name] = count
    return Days(daily, streaks)


def _add_day(found: list[int], step: int) -> None:
    if 0 <= step < _MORE_DAYS:
        found.append(step)
    elif 0 <= step < 1 << 16:
        found += (_MORE_DAYS, step >> 8, step & 255)
    else:
        found.append(_ANY_DAYS)
        found += step.to_bytes(8, "big", signed=True)


def _add_count(found: list[int], code: int, count: int) -> None:
    head = _OF_DAY | code << 4
    if 0 <= count <= _MOST_HERE:
        found.append(head | count)
    elif 0 <= count < 1 << 16:
        found += (head | _TWO_BYTES, count >> 8, count & 255)
    else:
        found.append(head | _EIGHT_BYTES)
        found += count.to_bytes(8, "big", signed=True)


def _add_name(found: list[int], name: str) -> None:
    encoded = name.encode()
    length = len(encoded)
    if length < _LONG:
        found.append(length)
    else:
        found.append(_LONG)
        found += length.to_bytes(3, "big")
    found += encoded


def _step_at(packed: bytes, at: int) -> tuple[int, int]:
    """How many days a day is later than the one before, and where what follows begins."""
    step = packed[at]
    if step < _MORE_DAYS:
        return step, at + 1
    if step == _MORE_DAYS:
        return _number_at(packed, at + 1, 2), at + 3
    if step == _ANY_DAYS:
        return _number_at(packed, at + 1, 8), at + 9
    raise ValueError("what is counted by day begins with something of no day")


def _count_at(packed: bytes, at: int) -> tuple[int, int]:
    count = packed[at] & 15
    if count <= _MOST_HERE:
        return count, at + 1
    if count == _TWO_BYTES:
        return _number_at(packed, at + 1, 2), at + 3
    return _number_at(packed, at + 1, 8), at + 9


def _name_at(packed: bytes, at: int) -> tuple[str, int]:
    length = packed[at]
    at += 1
    if length == _LONG:
        length = _number_at(packed, at, 3)
        at += 3
    if at + length > len(packed):
        raise LookupError("what is counted by day ends within a name")
    return packed[at : at + length].decode(), at + length


def _number_at(packed: bytes, at: int, width: int) -> int:
    if at + width > len(packed):
        raise LookupError("what is counted by day ends within a number")
    return int.from_bytes(packed[at : at + width], "big", signed=width == 8)
