from copy import deepcopy

import pytest
from given import (
    PLAIN,
    RULES,
    Customer,
    attended,
    brief,
    check_in,
    confirm_hold,
    data,
    game,
    hold_points,
    moment,
    ms,
    order_paid,
    registered,
    release_hold,
    review,
    share,
    survey,
    updated,
)
from msgspec.structs import replace

from loyalty_stream.domain import calendar, decide, expiry, orders
from loyalty_stream.domain.account import KEY_BUCKET_MS, NEVER, Account
from loyalty_stream.domain.events import Cause
from loyalty_stream.domain.orders import find

DAY = "2026-01-15"

EVERY_FACT = [
    (
        order_paid("e-1", f"{DAY} 10:00", 60000),
        [("point-granted", 600), ("point-granted", 50), ("point-granted", 50)],
    ),
    (registered("e-1", f"{DAY} 10:00"), [("point-granted", 100)]),
    (updated("e-1", f"{DAY} 10:00", ("vip",)), [("account-noted", 0)]),
    (review("e-1", f"{DAY} 10:00", has_photo=True), [("point-granted", 15)]),
    (share("e-1", f"{DAY} 10:00"), [("point-granted", 5)]),
    (check_in("e-1", f"{DAY} 10:00"), [("point-granted", 2)]),
    (game("e-1", f"{DAY} 10:00", 150), [("point-granted", 10)]),
    (survey("e-1", f"{DAY} 10:00"), [("point-granted", 30)]),
    (attended("e-1", f"{DAY} 10:00"), [("point-granted", 20)]),
    (hold_points("e-1", f"{DAY} 10:00", 100), [("command-rejected", 0)]),
    (confirm_hold("e-1", f"{DAY} 10:00", "h-1"), [("command-rejected", 0)]),
    (release_hold("e-1", f"{DAY} 10:00", "h-1"), [("command-rejected", 0)]),
]


@pytest.mark.parametrize(("fact", "made"), EVERY_FACT, ids=[type(fact).__name__ for fact, _ in EVERY_FACT])
def test_every_fact_is_decided_once(fact, made):
    customer = Customer()
    events = customer.when(fact)
    assert brief(events) == made
    assert {event.data.cause for event in events} == {Cause("/tests", "e-1")}
    assert {event.time for event in events} == {moment(f"{DAY} 10:00")}
    assert [event.id.partition(".")[2] for event in events] == [str(number) for number in range(len(made))]
    before = deepcopy(customer.account)
    assert customer.when(fact) == []
    assert customer.account == before


def test_the_same_id_from_another_source_is_another_fact():
    customer = Customer()
    first = share("e-1", f"{DAY} 10:00", share_id="s-1")
    customer.when(first)
    second = share("e-1", f"{DAY} 10:00", share_id="s-2")
    assert brief(customer.when(second)) == []
    other = type(second)(
        specversion="1.0", id="e-1", source="/other", subject="c-1", time=second.time, data=second.data
    )
    assert brief(customer.when(other)) == [("point-granted", 5)]


def test_the_same_input_gives_the_same_events_on_any_run():
    first, second = Customer(), Customer()
    for fact, _ in EVERY_FACT:
        assert first.when(fact) == second.when(fact)


def test_what_is_due_happens_before_the_fact_that_moves_the_clock():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", f"{DAY} 10:00"), hold_points("h-1", f"{DAY} 10:10", 100))
    events = customer.when(hold_points("h-2", f"{DAY} 10:40", 100))
    assert brief(events) == [("point-released", 100), ("point-held", 100)]


# -- orders that wait for their hold --------------------------------------------------------------------


def test_an_order_waits_for_a_hold_that_has_not_been_seen():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", f"{DAY} 10:00", 50000))
    (note,) = data(customer.when(order_paid("o-2", f"{DAY} 10:20", 20000, hold_id="h-1")))
    assert (note.kind, note.note.hold_id, note.note.due_at) == ("waiting", "h-1", moment(f"{DAY} 10:50"))
    assert expiry.next_due(customer.account, PLAIN) == ms(f"{DAY} 10:50")
    events = customer.when(hold_points("h-1", f"{DAY} 10:19", 300))
    assert brief(events) == [("point-held", 300), ("point-redeemed", 300), ("point-granted", 197)]
    order = events[1:]
    assert {event.data.cause for event in order} == {Cause("/tests", "o-2")}
    assert {event.time for event in order} == {moment(f"{DAY} 10:20")}
    assert [event.id.partition(".")[2] for event in order] == ["1", "2"]
    assert customer.account.waiting == {}
    assert customer.when(order_paid("o-2", f"{DAY} 10:20", 20000, hold_id="h-1")) == []


def test_an_order_that_waited_ends_where_it_would_have_without_waiting():
    hold, order = (
        hold_points("h-1", f"{DAY} 10:19", 300),
        order_paid("o-2", f"{DAY} 10:20", 20000, hold_id="h-1"),
    )
    ends = []
    for facts in ([hold, order], [order, hold]):
        customer = Customer(PLAIN)
        customer.when(order_paid("o-1", f"{DAY} 10:00", 50000), *facts)
        account = customer.account
        (order_of_2,) = [order for order in orders.each(account) if order.paid_at == ms(f"{DAY} 10:20")]
        kept = (order_of_2.lines, order_of_2.spent, [earned.points for earned in order_of_2.earned])
        ends.append((customer.balance, account.granted, account.redeemed, kept, account.holds))
    assert ends[0] == ends[1]


def test_a_rejected_hold_ends_the_wait():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-2", f"{DAY} 10:20", 20000, hold_id="h-1"))
    events = customer.when(hold_points("h-1", f"{DAY} 10:21", 300))
    assert brief(events) == [("command-rejected", 0), ("point-granted", 200)]
    assert brief(customer.when(order_paid("o-3", f"{DAY} 10:22", 20000, hold_id="h-1"))) == [
        ("point-granted", 200)
    ]


def test_an_order_waits_no_longer_than_a_hold_lasts():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-2", f"{DAY} 10:20", 20000, hold_id="h-1"))
    assert customer.clock(f"{DAY} 10:49:59") == []
    events = customer.clock(f"{DAY} 10:50")
    assert brief(events) == [("point-granted", 200)]
    assert events[0].time == moment(f"{DAY} 10:20")
    assert find(customer.account, "o-2").paid_at == ms(f"{DAY} 10:20")


def test_of_two_orders_that_wait_for_one_hold_the_first_gets_it():
    customer = Customer(PLAIN)
    customer.when(
        order_paid("o-1", f"{DAY} 10:00", 50000),
        order_paid("o-3", f"{DAY} 10:20", 20000, hold_id="h-1"),
        order_paid("o-2", f"{DAY} 10:21", 20000, hold_id="h-1"),
    )
    events = customer.when(hold_points("h-1", f"{DAY} 10:22", 300))
    assert [(event.type, event.data.cause.id) for event in events] == [
        ("point-held", "h-1"),
        ("point-redeemed", "o-3"),
        ("point-granted", "o-3"),
        ("point-granted", "o-2"),
    ]


# -- retention ------------------------------------------------------------------------------------------


def test_what_is_too_old():
    now = ms(f"{DAY} 10:00")
    assert not decide.too_old(now - RULES.retention_ms, now, RULES)
    assert decide.too_old(now - RULES.retention_ms - 1, now, RULES)


def test_what_is_older_than_the_retention_is_forgotten_by_an_event():
    rules = replace(PLAIN, retention_ms=60 * calendar.DAY_MS)
    customer = Customer(rules)
    customer.when(order_paid("o-1", f"{DAY} 10:00", 20000), check_in("c-1", f"{DAY} 10:00"))
    customer.when(
        hold_points("h-1", f"{DAY} 10:10", 200), order_paid("o-2", f"{DAY} 10:11", 20000, hold_id="h-1")
    )
    assert "account-noted" not in [event.type for event in customer.when(share("s-1", "2026-04-10 10:00"))]
    events = customer.when(share("s-2", "2026-06-10 10:00"))
    assert brief(events) == [("account-noted", 0), ("point-granted", 5)]
    forgotten = events[0].data
    assert (forgotten.kind, forgotten.cause.source) == ("forgotten", "loyalty-stream")
    assert forgotten.note.before % KEY_BUCKET_MS == 0
    assert decide.too_old(forgotten.note.before - 1, customer.now, rules)
    assert orders.count(customer.account) == 0
    assert customer.account.holds == {}
    assert customer.account.streaks == []
    assert len(customer.account.keys) == len(customer.account.causes) == 2
    assert customer.account.available == 200 + 2 - 200 + 198 + 5 + 5
    assert brief(customer.when(share("s-3", "2026-06-11 10:00"))) == [("point-granted", 5)]


def test_an_account_that_never_was_has_nothing_to_forget():
    assert brief(decide.apply(Account(), share("s-1", "2036-01-01"), RULES, ms("2036-01-01"))) == [
        ("point-granted", 5)
    ]


def test_a_late_order_whose_wait_is_over_is_applied_at_once_though_the_caller_knew_of_nothing_due():
    order = order_paid("o-1", "2026-01-15 10:00", hold_id="h-1")
    eager, told = Account(), Account()
    now = ms("2026-01-15 12:00")
    expected = decide.apply(eager, order, RULES, now)
    assert decide.apply(told, order, RULES, now, at=ms("2026-01-15 10:00"), quiet_until=NEVER) == expected
    assert told == eager
    assert not told.waiting
