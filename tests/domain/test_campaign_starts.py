from fractions import Fraction

import pytest
from given import PLAIN, Customer, erase_customer, ms, registered
from msgspec.structs import replace

from loyalty_stream.domain import campaign_starts, evolve
from loyalty_stream.domain.campaign_book import book_of
from loyalty_stream.domain.campaign_terms import Audience, Award, Campaign, Notify, Withdrawal

START, END = ms("2026-03-01 00:00"), ms("2026-03-08 00:00")
SPRING = Campaign(
    id="spring-week",
    version=1,
    theme="Spring",
    mode="online",
    starts_at_ms=START,
    ends_at_ms=END,
    trigger="purchase",
    award=Award(multiplier=Fraction(2)),
    notify=Notify(("announcement", "sms"), "spring"),
)


def tell(customer: Customer, campaign: Campaign = SPRING):
    made = campaign_starts.announce(customer.account, customer.subject, campaign, PLAIN, START)
    for event in made:
        evolve.fold(customer.folded, event)
    assert customer.folded == customer.account
    return made


def known(**more) -> Customer:
    customer = Customer(PLAIN)
    customer.when(registered("r-1", "2026-02-01 10:00", **more))
    return customer


def test_a_customer_is_told_once():
    customer = known()
    (event,) = tell(customer)
    assert (event.type, event.data.kind) == ("account-noted", "campaign-started")
    note = event.data.note
    assert (note.campaign_id, note.channels, note.template) == (
        "spring-week",
        ("announcement", "sms"),
        "spring",
    )
    assert event.data.cause.id == "spring-week:started"
    assert ms("2026-03-01 00:00") == START
    assert tell(customer) == []
    assert tell(customer, replace(SPRING, version=2)) == [], "nor of a later version"
    assert len(tell(customer, replace(SPRING, id="summer-week"))) == 1


@pytest.mark.parametrize(
    ("audience", "segments", "told"),
    [
        (Audience(segments=frozenset({"vip"})), ("vip", "new"), True),
        (Audience(segments=frozenset({"vip"})), ("new",), False),
        (Audience(registered_after_ms=ms("2026-01-31 00:00")), (), True),
        (Audience(registered_after_ms=ms("2026-02-02 00:00")), (), False),
    ],
)
def test_only_the_audience_is_told(audience, segments, told):
    customer = known(segments=segments)
    assert bool(tell(customer, replace(SPRING, audience=audience))) is told


def test_who_is_erased_is_told_nothing():
    customer = known()
    customer.when(erase_customer("x-1", "2026-02-02 10:00"))
    assert tell(customer) == []


def test_a_campaign_without_notify_is_not_told():
    assert tell(known(), replace(SPRING, notify=None)) == []


def test_when_campaigns_start():
    silent = replace(SPRING, id="quiet", notify=None)
    late = replace(SPRING, id="late", effective_at_ms=START + 5)
    book = book_of([SPRING, silent, late])
    assert sorted(campaign_starts.starts(book)) == [(START, "spring-week"), (START + 5, "late")]


def test_what_is_running():
    book = book_of([SPRING, Withdrawal("spring-week", START + 100)])
    assert campaign_starts.running(book, "spring-week", START - 1) is None
    assert campaign_starts.running(book, "spring-week", START) == SPRING
    assert campaign_starts.running(book, "spring-week", START + 100) is None
    assert campaign_starts.running(book_of([SPRING]), "spring-week", END) is None
