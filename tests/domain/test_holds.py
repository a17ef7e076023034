from fractions import Fraction

import pytest
from given import (
    PLAIN,
    REDEMPTION,
    Customer,
    brief,
    confirm_hold,
    data,
    hold_points,
    moment,
    order_paid,
    release_hold,
)
from msgspec.structs import replace

from loyalty_stream.domain import holds
from loyalty_stream.domain.events import (
    CommandRejected,
    PointHeld,
    PointRedeemed,
    PointReleased,
    PointRevoked,
    Taken,
)
from loyalty_stream.domain.rules import Availability, Period, Refunds


def customer_with(points: int, rules=PLAIN) -> Customer:
    """A customer who earned these points with one order, `o-first`."""
    customer = Customer(replace(rules, purchase=(replace(rules.purchase[0], thresholds=()),)))
    customer.when(order_paid("o-first", "2026-01-15 10:00", points * 100))
    assert customer.balance == (points, 0, 0)
    return customer


def grant_of(customer: Customer, number: int = 0) -> str:
    return customer.account.lots[number].grant_id


# -- hold-points ----------------------------------------------------------------------------------------


def test_holding_reserves_points_until_the_time_out():
    customer = customer_with(500)
    grant = grant_of(customer)
    (held,) = data(
        customer.when(hold_points("h-1", "2026-01-15 10:10", 300, order_id="o-2", order_amount=30000))
    )
    assert isinstance(held, PointHeld)
    assert (held.hold_id, held.points, held.order_id) == ("h-1", 300, "o-2")
    assert held.grants == (Taken(grant, 300),)
    assert held.due_at == moment("2026-01-15 10:40")
    assert customer.balance == (200, 300, 0)


@pytest.mark.parametrize(
    ("points", "order_amount", "share", "code", "message"),
    [
        (600, None, "1.0", "insufficient_points", "600 points asked for, 500 available"),
        (550, 1, "1.0", "insufficient_points", "550 points asked for, 500 available"),  # the first that fails
        (50, 1, "1.0", "below_minimum", "50 points asked for, at least 100 can be spent"),
        (150, 1, "1.0", "not_a_step", "150 points asked for, they are spent in steps of 100"),
        (300, 299, "1.0", "over_share", "300 points are worth 300, at most 299 of an order of 299"),
        (300, 300, "1.0", None, ""),
        (300, 0, "1.0", "over_share", "300 points are worth 300, at most 0 of an order of 0"),
        (300, 599, "0.5", "over_share", "300 points are worth 300, at most 299 of an order of 599"),
        (300, 600, "0.5", None, ""),
        (500, None, "0.5", None, ""),  # without an order's amount there is no share check
    ],
)
def test_a_hold_is_checked(points, order_amount, share, code, message):
    rules = replace(PLAIN, redemption=replace(REDEMPTION, maximum_share=Fraction(share)))
    customer = customer_with(500, rules)
    (made,) = data(customer.when(hold_points("h-1", "2026-01-15 10:10", points, order_amount=order_amount)))
    if code is None:
        assert isinstance(made, PointHeld)
    else:
        assert isinstance(made, CommandRejected)
        assert (made.command, made.command_id, made.code) == ("hold-points", "h-1", code)
        assert made.message == message
        assert customer.balance == (500, 0, 0)


def test_a_hold_that_is_known_changes_nothing_under_a_new_event():
    customer = customer_with(500)
    customer.when(hold_points("e-1", "2026-01-15 10:10", 300, hold_id="h-1"))
    assert brief(customer.when(hold_points("e-2", "2026-01-15 10:11", 100, hold_id="h-1"))) == [
        ("account-noted", 0)
    ]
    assert customer.balance == (200, 300, 0)
    assert customer.when(hold_points("e-2", "2026-01-15 10:11", 100, hold_id="h-1")) == []


def test_a_rejected_hold_may_be_asked_for_again():
    customer = customer_with(500)
    customer.when(hold_points("e-1", "2026-01-15 10:10", 600, hold_id="h-1"))
    assert brief(customer.when(hold_points("e-2", "2026-01-15 10:11", 500, hold_id="h-1"))) == [
        ("point-held", 500)
    ]


def test_two_holds_never_reserve_the_same_point():
    customer = customer_with(300)
    customer.when(hold_points("h-1", "2026-01-15 10:10", 200))
    (made,) = data(customer.when(hold_points("h-2", "2026-01-15 10:11", 200)))
    assert made.code == "insufficient_points"
    assert customer.balance == (100, 200, 0)


# -- confirm-hold and release-hold ----------------------------------------------------------------------


def test_confirming_redeems_without_an_order():
    customer = customer_with(500)
    grant = grant_of(customer)
    customer.when(hold_points("h-1", "2026-01-15 10:10", 300))
    (made,) = data(customer.when(confirm_hold("e-1", "2026-01-15 10:11", "h-1")))
    assert isinstance(made, PointRedeemed)
    assert (made.points, made.amount, made.hold_id, made.order_id) == (300, 300, "h-1", None)
    assert made.grants == (Taken(grant, 300),)
    assert customer.balance == (200, 0, 0)


def test_releasing_gives_the_points_back():
    customer = customer_with(500)
    customer.when(hold_points("h-1", "2026-01-15 10:10", 300))
    (made,) = data(customer.when(release_hold("e-1", "2026-01-15 10:11", "h-1")))
    assert isinstance(made, PointReleased)
    assert (made.points, made.reason) == (300, "released")
    assert customer.balance == (500, 0, 0)


@pytest.mark.parametrize("command", [confirm_hold, release_hold])
@pytest.mark.parametrize(
    ("before", "code"),
    [
        ([], "unknown_hold"),
        ([hold_points("h-1", "2026-01-15 10:10", 9900)], "unknown_hold"),
        (
            [hold_points("h-1", "2026-01-15 10:10", 300), confirm_hold("c", "2026-01-15 10:11", "h-1")],
            "hold_closed",
        ),
        (
            [hold_points("h-1", "2026-01-15 10:10", 300), release_hold("r", "2026-01-15 10:11", "h-1")],
            "hold_closed",
        ),
        (
            [
                hold_points("h-1", "2026-01-15 10:10", 300),
                order_paid("o-2", "2026-01-15 10:11", 90000, hold_id="h-1"),
            ],
            "hold_closed",
        ),
        ([hold_points("h-1", "2026-01-15 09:30", 300)], "hold_closed"),  # timed out as it arrived late
    ],
)
def test_only_an_open_hold_can_be_closed(command, before, code):
    customer = customer_with(500)
    customer.when(*before)
    balance = customer.balance
    (made,) = data(customer.when(command("e-1", "2026-01-15 10:12", "h-1")))
    assert isinstance(made, CommandRejected)
    assert (made.command_id, made.code) == ("h-1", code)
    assert customer.balance == balance


# -- orders ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goods", "discount", "made", "amount", "left"),
    [
        (90000, 0, [("point-redeemed", 300), ("point-granted", 897)], 300, 200 + 897),
        (300, 0, [("point-redeemed", 300)], 300, 200),
        (500, 400, [("point-released", 200), ("point-redeemed", 100)], 100, 400),
        (250, 0, [("point-released", 50), ("point-redeemed", 250)], 250, 250),
        (500, 500, [("point-released", 300), ("account-noted", 0)], None, 500),
        (500, 900, [("point-released", 300), ("account-noted", 0)], None, 500),
    ],
)
def test_an_order_redeems_its_hold_up_to_its_goods(goods, discount, made, amount, left):
    customer = customer_with(500)
    customer.when(hold_points("h-1", "2026-01-15 10:10", 300))
    events = customer.when(order_paid("o-2", "2026-01-15 10:11", goods, discount=discount, hold_id="h-1"))
    assert brief(events) == made
    redeemed = [event.data.amount for event in events if event.type == "point-redeemed"]
    assert redeemed == ([] if amount is None else [amount])
    assert customer.balance == (left, 0, 0)
    assert customer.account.holds["h-1"].state == "spent"


def test_points_that_are_worth_more_than_the_goods_need_are_given_back_from_the_end():
    """3 points are worth 10: of 30 points an order of 24 needs 8, which pay for 26, capped."""
    redemption = replace(REDEMPTION, points=3, amount=10, minimum_points=1, step=1)
    customer = customer_with(20, replace(PLAIN, redemption=redemption))
    customer.when(order_paid("o-1", "2026-02-20 10:00", 2000))
    first, second = (lot.grant_id for lot in customer.account.lots)
    customer.when(hold_points("h-1", "2026-02-20 10:10", 30))
    released, redeemed = data(customer.when(order_paid("o-2", "2026-02-20 10:11", 24, hold_id="h-1")))
    assert released.grants == (Taken(first, 12), Taken(second, 10))
    assert redeemed.grants == (Taken(first, 8),)
    assert redeemed.amount == 24
    assert holds.cash_value(7, redemption) < 24 <= holds.cash_value(8, redemption)


def test_a_second_order_with_the_same_hold_gets_nothing_off():
    customer = customer_with(500)
    customer.when(hold_points("h-1", "2026-01-15 10:10", 300))
    customer.when(order_paid("o-2", "2026-01-15 10:11", 90000, hold_id="h-1"))
    assert brief(customer.when(order_paid("o-3", "2026-01-15 10:12", 90000, hold_id="h-1"))) == [
        ("point-granted", 900)
    ]


def test_a_confirmed_hold_takes_its_value_off_one_order_and_redeems_nothing_more():
    customer = customer_with(500)
    customer.when(hold_points("h-1", "2026-01-15 10:10", 300), confirm_hold("c-1", "2026-01-15 10:11", "h-1"))
    made = customer.when(order_paid("o-2", "2026-01-15 10:12", 90000, hold_id="h-1"))
    assert brief(made) == [("account-noted", 0), ("point-granted", 897)]
    assert made[1].data.note.amount == 300
    made = customer.when(order_paid("o-3", "2026-01-15 10:13", 90000, hold_id="h-1"))
    assert brief(made) == [("point-granted", 900)]
    assert customer.account.redeemed == 300


def test_a_hold_given_back_is_taken_again_by_its_order():
    customer = customer_with(500)
    customer.when(hold_points("h-1", "2026-01-15 10:10", 300), release_hold("r-1", "2026-01-15 10:11", "h-1"))
    made = customer.when(order_paid("o-2", "2026-01-15 10:12", 90000, hold_id="h-1"))
    assert brief(made) == [("point-redeemed", 300), ("point-granted", 897)]
    assert customer.balance == (200 + 897, 0, 0)


@pytest.mark.parametrize(
    ("shortfall", "made", "balance"),
    [
        (
            "debt",
            [("point-redeemed", 100), ("point-revoked", 0), ("point-granted", 897), ("point-revoked", 200)],
            (697, 0, 0),
        ),
        ("clamp", [("point-redeemed", 100), ("point-revoked", 0), ("point-granted", 897)], (897, 0, 0)),
    ],
)
def test_what_is_missing_of_a_hold_given_back_is_a_shortfall(shortfall, made, balance):
    """The order was paid with 300 points of which 100 are left; its own grant repays the debt."""
    customer = customer_with(500, replace(PLAIN, refunds=Refunds(shortfall=shortfall)))
    customer.when(
        hold_points("h-1", "2026-01-15 10:10", 300),
        release_hold("r-1", "2026-01-15 10:11", "h-1"),
        hold_points("h-2", "2026-01-15 10:12", 400),
        confirm_hold("c-2", "2026-01-15 10:13", "h-2"),
    )
    events = customer.when(order_paid("o-2", "2026-01-15 10:14", 90000, hold_id="h-1"))
    assert brief(events) == made
    assert events[0].data.amount == 300
    missing = events[1].data
    assert (missing.reason, missing.shortfall, missing.order_id) == ("hold_shortfall", 200, "o-2")
    assert missing.owed == (200 if shortfall == "debt" else 0)
    assert customer.balance == balance


def test_what_is_missing_of_a_hold_given_back_is_taken_from_points_that_are_pending():
    """They would become available, and could be spent, while their customer owes."""
    rules = replace(PLAIN, availability=Availability("delay", Period("P7D", days=7)))
    customer = Customer(rules)
    customer.when(
        order_paid("o-1", "2026-01-01 10:00", 30000),
        hold_points("h-1", "2026-01-10 10:10", 300),
        release_hold("r-1", "2026-01-10 10:11", "h-1"),
        hold_points("h-2", "2026-01-10 10:12", 300),
        confirm_hold("c-2", "2026-01-10 10:13", "h-2"),
        order_paid("o-2", "2026-01-10 10:14", 20000),
    )
    made = customer.when(order_paid("o-3", "2026-01-10 10:15", 300, hold_id="h-1"))
    assert brief(made) == [("account-noted", 0), ("point-revoked", 0), ("point-revoked", 200)]
    assert (made[1].data.owed, made[2].data.reason, customer.account.debt) == (300, "debt_repaid", 100)
    assert brief(customer.clock("2026-02-01 10:00")) == []


def test_debt_is_repaid_in_parts_by_what_comes_next():
    customer = customer_with(300)
    customer.when(
        hold_points("h-1", "2026-01-15 10:10", 300),
        release_hold("r-1", "2026-01-15 10:11", "h-1"),
        hold_points("h-2", "2026-01-15 10:12", 300),
    )
    made = customer.when(order_paid("o-2", "2026-01-15 10:14", 10300, hold_id="h-1"))
    assert brief(made) == [
        ("account-noted", 0),
        ("point-revoked", 0),
        ("point-granted", 100),
        ("point-revoked", 100),
    ]
    assert customer.balance == (0, 300, 200)
    made = data(customer.when(release_hold("r-2", "2026-01-15 10:20", "h-2")))
    assert isinstance(made[1], PointRevoked)
    assert (made[1].reason, made[1].points, made[1].shortfall) == ("debt_repaid", 200, 0)
    assert customer.balance == (100, 0, 0)
    account = customer.account
    assert (account.granted, account.redeemed, account.revoked) == (400, 0, 300)


def test_what_an_order_gives_back_repays_debt_too():
    customer = customer_with(300)
    customer.when(
        hold_points("h-1", "2026-01-15 10:10", 300),
        release_hold("r-1", "2026-01-15 10:11", "h-1"),
        hold_points("h-2", "2026-01-15 10:12", 300),
        order_paid("o-2", "2026-01-15 10:14", 250, hold_id="h-1"),
    )
    assert customer.balance == (0, 300, 250)
    made = customer.when(order_paid("o-3", "2026-01-15 10:15", 40, hold_id="h-2"))
    assert brief(made) == [
        ("point-released", 260),
        ("point-redeemed", 40),
        ("point-revoked", 250),
    ]
    assert customer.balance == (10, 0, 0)
