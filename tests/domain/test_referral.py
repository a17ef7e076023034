import pytest
from given import PLAIN, Customer, brief, cancellation, order_paid, registered
from msgspec.structs import replace

from loyalty_stream.domain import referral
from loyalty_stream.domain.notes import ReferralNote

RULES = replace(PLAIN, referrer_points=200)
DAY = "2026-01-15"
JOINED = registered("r-1", f"{DAY} 09:00", referred_by="c-2")
ORDER = order_paid("o-1", f"{DAY} 10:00")
CANCELLED = cancellation("x-1", f"{DAY} 11:00", "o-1")
FREE = order_paid("o-0", f"{DAY} 09:30", 10000, discount=10000)


def told(customer: Customer) -> list[tuple[str, ReferralNote]]:
    """The cause of each note, and the note."""
    return [
        (event.data.cause.id, event.data.note)
        for event in customer.events
        if isinstance(event.data.note, ReferralNote)
    ]


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ([JOINED, ORDER], "o-1"),
        ([ORDER, JOINED], "r-1"),
        ([JOINED, FREE], None),
        ([FREE, JOINED], None),
        ([JOINED, FREE, ORDER], "o-1"),
        ([JOINED, ORDER, order_paid("o-2", f"{DAY} 11:00")], "o-1"),
        ([ORDER, order_paid("o-2", f"{DAY} 11:00"), JOINED], "r-1"),
        ([registered("r-0", f"{DAY} 08:00"), JOINED, ORDER], None),
        ([registered("r-0", f"{DAY} 08:00", referred_by="c-1"), ORDER], None),
        ([JOINED, ORDER, CANCELLED, order_paid("o-2", f"{DAY} 12:00")], "o-1"),
        ([ORDER, CANCELLED, JOINED], None),
        ([ORDER, CANCELLED, JOINED, order_paid("o-2", f"{DAY} 12:00")], "o-2"),
        ([ORDER, order_paid("o-2", f"{DAY} 10:30"), CANCELLED, JOINED], "r-1"),
        ([JOINED], None),
        ([ORDER], None),
    ],
)
def test_the_referrer_is_rewarded_once_at_the_first_purchase(facts, cause):
    customer = Customer(RULES)
    customer.when(*facts)
    assert told(customer) == ([] if cause is None else [(cause, ReferralNote("c-2", 200))])


def test_no_reward_is_set_up():
    customer = Customer(PLAIN)
    customer.when(JOINED, ORDER)
    assert told(customer) == []


def test_the_note_rides_on_the_bonus_of_the_first_purchase():
    customer = Customer(replace(RULES, first_purchase_points=50))
    made = customer.when(JOINED, ORDER)
    assert brief(made) == [("point-granted", 100), ("point-granted", 50)]
    assert made[1].data.note == ReferralNote("c-2", 200)


def test_the_reward_is_named_by_the_customer():
    assert referral.grant_id("c-1") == "referral:c-1"
    assert referral.command_id("c-1") == "referral:c-1:granted"
    assert len(referral.command_id("c" * 128)) <= 128
    assert referral.grant_id("c" * 128) != referral.grant_id("c" * 127)
