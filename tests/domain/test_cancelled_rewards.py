import msgspec
import pytest

from loyalty_stream.domain.notes import ReturnNote
from tests.domain.given import Customer, brief, hold_points, order_paid
from tests.domain.given_rewards import MALL, answer, asked, cancel, redeem

T1, T2, T3 = "2026-03-01 10:00", "2026-03-01 11:00", "2026-03-01 12:00"


def rich(points=400, rules=MALL):
    customer = Customer(rules)
    customer.when(order_paid("o-1", "2026-02-01 10:00", points * 100))
    return customer


def codes(events):
    return [event.data.code for event in events if event.type == "command-rejected"]


def returned(events):
    return [event.data.note for event in events if isinstance(event.data.note, ReturnNote)]


def test_points_stock_and_limit_come_back():
    customer = rich()
    held = customer.when(redeem("r-1", T1, "tea-cup", 3))
    customer.when(answer(held, 3))
    grant = customer.account.lots[0]
    made = customer.when(cancel("x-1", T2, "r-1"))
    assert [event.type for event in made] == ["point-restored", "account-noted"]
    assert (made[0].data.points, made[0].data.redemption_id) == (300, "r-1")
    assert returned(made) == [ReturnNote(asked(held).request_id, "stock:tea-cup")]
    assert customer.balance == (400, 0, 0)
    assert [(lot.grant_id, lot.points) for lot in customer.account.lots] == [(grant.grant_id, 400)]
    assert brief(customer.when(redeem("r-2", T3, "tea-cup", 3))) == [("point-held", 300)]


def test_one_that_is_not_answered_yet_is_taken_back_and_the_answer_changes_nothing():
    customer = rich()
    held = customer.when(redeem("r-1", T1, "tea-cup", 2))
    made = customer.when(cancel("x-1", T2, "r-1"))
    assert brief(made) == [("point-released", 200), ("account-noted", 0)]
    assert returned(made) == [ReturnNote(asked(held).request_id, "stock:tea-cup")]
    assert customer.when(answer(held, 2)) == []
    assert customer.balance == (400, 0, 0)
    assert customer.account.reward_counts == {}
    assert not customer.account.holds


def test_unlimited_stock_is_not_given_back():
    customer = rich()
    customer.when(redeem("r-1", T1, "off-10", 2))
    assert brief(customer.when(cancel("x-1", T2, "r-1"))) == [("point-restored", 100)]


@pytest.mark.parametrize(
    ("restore_expired", "then", "available"),
    [
        ("forfeit", [("point-restored", 100), ("point-expired", 100)], 0),
        ("extend", [("point-restored", 100)], 100),
    ],
)
def test_points_whose_date_has_passed_come_back_as_those_of_a_refund(restore_expired, then, available):
    refunds = msgspec.structs.replace(MALL.refunds, restore_expired=restore_expired)
    customer = rich(100, msgspec.structs.replace(MALL, refunds=refunds))
    customer.when(answer(customer.when(redeem("r-1", T1, "tea-cup")), 1))
    made = customer.when(cancel("x-1", "2027-03-01 10:00", "r-1"))
    assert [each for each in brief(made) if each[0] in {"point-restored", "point-expired"}] == then
    assert customer.account.available == available


def test_what_comes_back_repays_debt():
    customer = rich(100)
    customer.when(answer(customer.when(redeem("r-1", T1, "tea-cup")), 1))
    customer.account.debt = customer.folded.debt = 30
    made = customer.when(cancel("x-1", T2, "r-1"))
    assert brief(made)[:2] == [("point-restored", 100), ("point-revoked", 30)]
    assert customer.balance == (70, 0, 0)


def test_nothing_is_cancelled_twice_or_without_having_been_redeemed():
    customer = rich()
    customer.when(redeem("r-1", T1, "off-10"), cancel("x-1", T2, "r-1"))
    assert codes(customer.when(cancel("x-2", T2, "r-1"))) == ["hold_closed"]
    assert codes(customer.when(cancel("x-3", T2, "r-9"))) == ["unknown_hold"]
    assert customer.when(cancel("x-3", T2, "r-9")) == []
    customer.when(hold_points("h-1", T2, 100))
    assert codes(customer.when(cancel("x-4", T3, "h-1"))) == ["unknown_hold"]


def test_a_cancelled_redemption_is_not_redeemed_again_under_its_id():
    customer = rich()
    customer.when(redeem("r-1", T1, "off-10"), cancel("x-1", T2, "r-1"))
    made = customer.when(redeem("again", T3, "off-10", redemption_id="r-1"))
    assert [event.data.kind for event in made] == ["key"]
