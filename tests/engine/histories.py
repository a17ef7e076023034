"""Histories for the crash tests: what customers did, as records of the input topics. No two have one instant."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

import msgspec

from loyalty_stream.domain.facts import Fact, Incoming
from loyalty_stream.wire.topics import TOPIC_OF_TYPE, type_name
from tests.domain import given


class Sent(NamedTuple):
    """A record as a producer sends it."""

    kind: str
    key: bytes | None
    value: bytes | None


def sent(fact: Fact) -> Sent:
    return Sent(TOPIC_OF_TYPE[type_name(type(fact))], fact.subject.encode(), msgspec.json.encode(fact))


def spending() -> list[Sent]:
    """Holds in every way: spent, confirmed, released, timed out, late, missing, refused; and debt, repaid."""
    facts: list[Incoming] = [
        given.registered("r1", "2026-01-10 10:00:00"),
        given.order_paid("o1", "2026-01-10 10:01:00", 120000),
        given.hold_points("h1", "2026-01-10 10:02:00", 300, order_amount=50000),
        given.order_paid("o2", "2026-01-10 10:03:00", 50000, hold_id="h1"),
        given.hold_points("h2", "2026-01-10 10:04:00", 100),
        given.confirm_hold("x2", "2026-01-10 10:05:00", "h2"),
        given.hold_points("h3", "2026-01-10 10:06:00", 200),
        given.release_hold("x3", "2026-01-10 10:07:00", "h3"),
        given.order_paid("o3", "2026-01-10 10:08:00", 30000, hold_id="h3"),
        given.hold_points("h4", "2026-01-10 10:09:00", 400),
        given.order_paid("o5", "2026-01-10 10:10:00", 20000, hold_id="h5"),
        given.hold_points("h5", "2026-01-10 10:11:00", 100),
        given.order_paid("o6", "2026-01-10 10:12:00", 7000, hold_id="never-seen"),
        given.hold_points("h7", "2026-01-10 10:13:00", 900000),
        given.hold_points("h8", "2026-01-10 10:14:00", 50),
        given.hold_points("h9", "2026-01-10 10:15:00", 150),
        given.hold_points("h10", "2026-01-10 10:16:00", 300, order_amount=100),
        given.confirm_hold("x11", "2026-01-10 10:17:00", "nobody-knows"),
        given.release_hold("x12", "2026-01-10 10:18:00", "h2"),
        # One who owes: the hold is released, its points are spent otherwise, then the order comes after all.
        given.registered("r2", "2026-01-10 10:19:00", subject="c-2"),
        given.hold_points("k1", "2026-01-10 10:20:00", 100, subject="c-2"),
        given.release_hold("y1", "2026-01-10 10:21:00", "k1", subject="c-2"),
        given.hold_points("k2", "2026-01-10 10:22:00", 100, subject="c-2"),
        given.confirm_hold("y2", "2026-01-10 10:23:00", "k2", subject="c-2"),
        given.order_paid("p1", "2026-01-10 10:24:00", 10000, hold_id="k1", subject="c-2"),
        # Its time moves everybody's clock over the time-outs of h4 and o6.
        given.order_paid("p2", "2026-01-10 11:30:00", 40000, subject="c-2"),
        given.hold_points("h13", "2026-12-20 09:00:00", 100),
        # A year on: warnings and expiry, also of what was held when its date came.
        given.registered("r3", "2027-01-10 23:50:00", subject="c-3"),
        given.hold_points("h14", "2027-01-10 23:51:00", 200),
        given.registered("r4", "2027-01-11 00:05:00", subject="c-4"),
        given.registered("r5", "2027-01-11 09:00:00", subject="c-5"),
    ]
    return [sent(fact) for fact in facts]


def behaviour() -> list[Sent]:
    """All that earns besides orders, over its limits, twice under one id and twice under two, late and in time."""
    facts: list[Incoming] = [
        given.registered("r1", "2026-02-01 09:00:00", segments=("tea",), referred_by="c-2"),
        given.updated("u1", "2026-02-01 09:01:00", ("tea", "cups")),
        given.order_paid("o1", "2026-02-01 09:02:00", [("tea-01", 9900), ("cup-02", 12345)], discount=777),
        given.review("v1", "2026-02-01 09:03:00", order_id="o1", has_photo=True),
        given.review("v2", "2026-02-01 09:04:00", review_id="v1"),
        given.survey("s1", "2026-02-01 09:05:00", satisfaction=4),
        given.survey("s2", "2026-02-01 09:06:00", satisfaction=1),
        given.attended("a1", "2026-02-01 09:07:00"),
        given.attended("a2", "2026-02-01 09:08:00", subject="c-2", mode="online"),
        *[given.share(f"h{n}", f"2026-02-01 09:1{n}:00") for n in range(5)],
        *[given.game(f"g{n}", f"2026-02-01 09:2{n}:00", score=60 * n) for n in range(5)],
        *[given.check_in(f"c{day}", f"2026-02-0{day} 20:00:00") for day in (1, 2, 3, 5, 6, 7, 8)],
        given.check_in("late", "2026-02-04 20:00:00.001"),
        given.check_in("c1", "2026-02-01 20:00:00"),
        given.review("v1", "2026-02-01 09:03:00", order_id="o1", has_photo=True),
        given.check_in("other", "2027-01-05 12:00:00", subject="c-2"),
        given.share("again", "2027-02-20 12:00:00", subject="c-2"),
    ]
    return [sent(fact) for fact in facts]


def order_life() -> list[Sent]:
    """Orders to their end, in any order of arrival: completed, refunded in parts, cancelled, with points and a tier."""
    facts: list[Incoming] = [
        given.order_paid("o1", "2026-01-10 10:00:00", 120000),
        given.completion("k1", "2026-01-11 10:00:00", "o1"),
        given.hold_points("h1", "2026-01-12 10:00:00", 300),
        given.order_paid("o2", "2026-01-12 10:01:00", 50000, hold_id="h1"),
        given.refund("r1", "2026-01-13 10:00:00", "o2", 10000),
        given.cancellation("x2", "2026-01-14 10:00:00", "o2"),
        given.refund("early", "2026-01-15 10:00:00", "o3", 2000),
        given.completion("k3", "2026-01-15 10:01:00", "o3"),
        given.order_paid("o3", "2026-01-15 10:02:00", 5000),
        given.refund("r2", "2026-01-16 10:00:00", "o1", 120000),
        given.refund("too-much", "2026-01-16 10:01:00", "o1", 1),
        given.order_paid("o4", "2026-01-17 10:00:00", 200000, subject="c-2"),
        given.completion("k4", "2026-01-18 10:00:00", "o4", subject="c-2"),
        given.cancellation("never-paid", "2026-01-19 10:00:00", "o9", subject="c-2"),
    ]
    return [sent(fact) for fact in facts]


POISON = "poison"
"""Events whose id begins so are refused by the crash tests' stage with an exception."""


def bad_records() -> list[Sent]:
    """Records that cannot be taken, for every kind of reason, between sound ones of the same customers."""

    def changed(fact: Incoming, change: Callable[[bytes], bytes]) -> Sent:
        record = sent(fact)
        return record._replace(value=change(record.value or b""))

    order = given.order_paid("o9", "2026-03-01 10:00:09", 5000)
    return [
        sent(given.order_paid("o1", "2026-03-01 10:00:01", 60000)),
        Sent("orders", b"c-1", b"\xff\xfe"),
        Sent("orders", b"c-1", b"{"),
        Sent("orders", b"c-1", None),
        Sent("orders", None, sent(order).value),
        Sent("orders", b"c-2", sent(order).value),
        Sent("reviews", b"c-1", sent(order).value),
        Sent("shares", b"c-1", b'{"type": "unheard-of"}'),
        changed(order, lambda value: value.replace(b"5000", b"NaN")),
        changed(order, lambda value: value.replace(b'"CNY"', b'"USD"')),
        changed(order, lambda value: value.replace(b"order-paid", b"order-cancelled")),
        sent(given.order_paid(f"{POISON}-1", "2026-03-01 10:00:02", 70000)),
        sent(given.order_paid("o2", "2026-03-01 10:00:03", 1000)),
        sent(given.share("h1", "2026-03-01 10:00:04", subject="c-2")),
        sent(given.share(f"{POISON}-2", "2026-03-01 10:00:05", subject="c-2")),
        sent(given.share("h2", "2026-03-01 10:00:06", subject="c-2")),
        sent(given.hold_points("k1", "2026-03-01 10:00:07", 100)),
        changed(
            given.hold_points("k2", "2026-03-01 10:00:08", 100),
            lambda v: v.replace(b'"points"', b'"more":1,"points"'),
        ),
        sent(order),
        sent(given.check_in("x0", "2026-03-01 10:00:10")),
        sent(given.check_in("x1", "2020-01-01 10:00:00")),
        sent(given.check_in("x2", "2026-03-01 11:00:10", subject="c-2")),
    ]


def at_random(seed: int, length: int = 40) -> list[Sent]:
    """Three customers at random over two years: late events, repeats and rubbish among the rest."""
    chance = random.Random(seed)
    return list(_draw(chance, length))


_ENDS: tuple[Callable[..., Incoming], ...] = (given.confirm_hold, given.release_hold)
_ACTS: tuple[Callable[..., Incoming], ...] = (
    given.registered,
    given.review,
    given.share,
    given.check_in,
    given.attended,
    given.survey,
)


def _draw(chance: random.Random, length: int) -> Iterator[Sent]:
    at = given.moment("2026-01-01 00:00:00")
    before: list[Sent] = []
    holds: list[tuple[str, str]] = [("c-1", "no-such-hold")]
    for number in range(length):
        at += timedelta(milliseconds=chance.choice([61_001, 1_207_013, 30_000_017, 1_500_000_019]))
        late = timedelta(milliseconds=chance.choice([0, 0, 0, 500_009, 90_000_023]))
        when = (at - late + timedelta(milliseconds=number)).isoformat()
        one, who = f"e{number}", f"c-{chance.randrange(1, 4)}"
        what = chance.randrange(12)
        fact: Incoming
        if what == 0 and before:
            yield chance.choice(before)
            continue
        if what == 1:
            yield Sent(chance.choice(["orders", "shares"]), who.encode(), chance.randbytes(9))
            continue
        if what in {2, 3}:
            hold_id = chance.choice([None, *[hold for owner, hold in holds if owner == who]])
            fact = given.order_paid(one, when, chance.randrange(100, 90000), hold_id=hold_id, subject=who)
        elif what in {4, 5}:
            holds.append((who, one))
            fact = given.hold_points(one, when, chance.choice([100, 200, 300, 50]), subject=who)
        elif what == 6:
            owner, hold = chance.choice(holds)
            fact = chance.choice(_ENDS)(one, when, hold, subject=owner)
        else:
            fact = chance.choice(_ACTS)(one, when, subject=who)
        before.append(sent(fact))
        yield before[-1]
