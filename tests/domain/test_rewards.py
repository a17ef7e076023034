import re

import msgspec
import pytest

from loyalty_stream.domain.events import RewardIssued
from loyalty_stream.domain.facts import ID_PATTERN
from loyalty_stream.domain.rules import Level, Tiers
from tests.domain.given import (
    Customer,
    brief,
    data,
    erase_customer,
    hold_points,
    ms,
    order_paid,
    release_hold,
)
from tests.domain.given_rewards import COUPON, CUP, MALL, answer, asked, redeem

T1 = "2026-03-01 10:00"
T2 = "2026-03-01 11:00"


def rich(points: int) -> Customer:
    customer = Customer(MALL)
    customer.when(order_paid("o-1", "2026-02-01 10:00", points * 100))
    return customer


def mall(**changes):
    return msgspec.structs.replace(
        MALL, rewards={**MALL.rewards, CUP.id: msgspec.structs.replace(CUP, **changes)}
    )


def codes(events):
    return [event.data.code for event in events if event.type == "command-rejected"]


def test_points_are_held_until_the_stock_has_answered_and_then_spent():
    customer = rich(400)
    made = customer.when(redeem("r-1", T1, "tea-cup", 2))
    assert brief(made) == [("point-held", 200)]
    assert customer.balance == (200, 200, 0)
    note = asked(made)
    assert (note.resource, note.quantity, note.limit, note.partial) == ("stock:tea-cup", 2, 10, False)
    assert note.request_id == made[0].id
    made = customer.when(answer(made, 2))
    assert brief(made) == [("point-redeemed", 200), ("reward-issued", 0)]
    assert customer.balance == (200, 0, 0)
    issued = made[1].data
    assert isinstance(issued, RewardIssued)
    assert (issued.redemption_id, issued.reward_id, issued.quantity, issued.coupon_codes) == (
        "r-1",
        "tea-cup",
        2,
        (),
    )
    assert made[0].data.redemption_id == "r-1"
    assert not customer.account.holds
    assert not customer.account.asked


def test_without_stock_the_points_come_back_and_the_command_is_rejected():
    customer = rich(400)
    held = customer.when(redeem("r-1", T1, "tea-cup", 2))
    made = customer.when(answer(held, 0))
    assert brief(made) == [("point-released", 200), ("command-rejected", 0)]
    assert codes(made) == ["out_of_stock"]
    assert customer.balance == (400, 0, 0)
    assert customer.account.reward_counts == {}
    again = customer.when(redeem("r-1-again", T2, "tea-cup", redemption_id="r-1"))
    assert brief(again) == [("point-held", 100)]


def test_an_answer_that_comes_twice_changes_nothing():
    customer = rich(400)
    told = answer(customer.when(redeem("r-1", T1, "tea-cup")), 1)
    assert customer.when(told)
    assert customer.when(told) == []


def test_unlimited_stock_is_not_asked_for():
    customer = rich(400)
    made = customer.when(redeem("r-1", T1, "off-10", 2))
    assert brief(made) == [("point-held", 100), ("point-redeemed", 100), ("reward-issued", 0)]
    issued = made[2].data
    assert isinstance(issued, RewardIssued)
    assert len(set(issued.coupon_codes)) == 2


def test_held_points_of_a_redemption_do_not_time_out_and_no_command_reaches_them():
    customer = rich(400)
    held = customer.when(redeem("r-1", T1, "tea-cup"))
    assert customer.clock("2026-06-01 10:00") == []
    assert codes(customer.when(release_hold("x-1", "2026-06-01 11:00", "r-1"))) == ["unknown_hold"]
    assert re.fullmatch(ID_PATTERN, held[0].data.hold_id) is None
    assert customer.balance == (300, 100, 0)
    assert brief(customer.when(answer(held, 1))) == [("point-redeemed", 100), ("reward-issued", 0)]


def test_a_redemption_that_is_known_changes_nothing():
    customer = rich(400)
    customer.when(redeem("r-1", T1, "tea-cup"))
    made = customer.when(redeem("r-2", T2, "tea-cup", redemption_id="r-1"))
    assert [event.data.kind for event in made] == ["key"]
    assert customer.when(redeem("r-2", T2, "tea-cup", redemption_id="r-1")) == []


@pytest.mark.parametrize(
    ("changes", "reward_id", "quantity", "code"),
    [
        ({}, "no-such", 1, "unknown_reward"),
        ({}, "tea-cup", 5, "insufficient_points"),  # and over the limit: the list's order decides
        ({"cost": 1}, "tea-cup", 4, "limit_reached"),
        ({"cost": 1, "starts_at_ms": ms("2026-03-02 00:00")}, "tea-cup", 4, "limit_reached"),
        ({"starts_at_ms": ms("2026-03-02 00:00")}, "tea-cup", 1, "not_eligible"),
        ({"ends_at_ms": ms(T1)}, "tea-cup", 1, "not_eligible"),
        ({"tiers": frozenset({"gold"})}, "tea-cup", 1, "not_eligible"),
    ],
)
def test_the_first_check_that_fails_is_the_code(changes, reward_id, quantity, code):
    customer = rich(400)
    customer.rules = mall(**changes)
    made = customer.when(redeem("r-1", T1, reward_id, quantity))
    assert codes(made) == [code]
    assert len(made) == 1
    assert customer.balance == (400, 0, 0)


@pytest.mark.parametrize(
    "changes", [{"starts_at_ms": ms(T1)}, {"ends_at_ms": ms(T1) + 1}, {"tiers": frozenset({"silver"})}]
)
def test_who_is_eligible_in_the_window_may_have_it(changes):
    customer = Customer(
        msgspec.structs.replace(mall(**changes), tiers=Tiers(levels=(Level("silver", 100, 1),)))
    )
    customer.when(order_paid("o-1", "2026-02-01 10:00", 40000))
    assert brief(customer.when(redeem("r-1", T1, "tea-cup"))) == [("point-held", 100)]


def test_what_is_asked_for_counts_against_the_limit_at_once():
    customer = rich(400)
    first = customer.when(redeem("r-1", T1, "tea-cup", 2))
    assert codes(customer.when(redeem("r-2", T1, "tea-cup", 2))) == ["limit_reached"]
    customer.when(answer(first, 0))
    assert brief(customer.when(redeem("r-3", T2, "tea-cup", 3))) == [("point-held", 300)]


def test_the_stock_of_an_erased_customer_is_given_back_whatever_the_answer():
    customer = rich(400)
    held = customer.when(redeem("r-1", T1, "tea-cup"))
    made = customer.when(erase_customer("e-1", T2))
    notes = [event.data.note for event in made if event.type == "account-noted"]
    assert [note.__struct_config__.tag for note in notes] == ["return", "erased"]
    assert notes[0].request_id == held[0].id
    assert customer.when(answer(held, 1)) == []
    assert customer.balance == (0, 0, 0)


def test_a_reward_that_was_dropped_meanwhile_is_issued_all_the_same():
    customer = rich(400)
    held = customer.when(redeem("r-1", T1, "tea-cup"))
    customer.rules = msgspec.structs.replace(MALL, rewards={})
    assert brief(customer.when(answer(held, 1))) == [("point-redeemed", 100), ("reward-issued", 0)]


def test_coupon_codes_depend_on_secret_customer_redemption_and_number_alone():
    def code(rules=MALL, subject="c-1", redemption_id="r-1"):
        customer = Customer(rules, subject)
        customer.when(order_paid("o-1", "2026-02-01 10:00", 40000, subject=subject))
        made = customer.when(redeem("x", T1, COUPON.id, redemption_id=redemption_id, subject=subject))
        return data(made)[-1].coupon_codes[0]

    other_secret = msgspec.structs.replace(MALL, coupon_secret=type(MALL.coupon_secret)(b"another"))
    assert code() == code()
    assert len({code(), code(other_secret), code(subject="c-2"), code(redemption_id="r-2")}) == 4
    assert len(code()) == 19
    assert "of the tests" not in repr(MALL)


def test_points_held_for_a_checkout_are_not_spent_on_a_reward():
    customer = rich(400)
    customer.when(hold_points("h-1", T1, 400))
    assert codes(customer.when(redeem("r-1", T1, "tea-cup"))) == ["insufficient_points"]
