import pytest
from given import (
    PLAIN,
    RULES,
    Customer,
    brief,
    check_in,
    confirm_hold,
    data,
    erase_customer,
    hold_points,
    moment,
    ms,
    order_paid,
    registered,
    release_hold,
    review,
)

from loyalty_stream.domain import decide
from loyalty_stream.domain.account import ACCOUNT_FIELDS, NEVER, Account, Lot, imbalance
from loyalty_stream.domain.identity import KEY_BYTES
from loyalty_stream.wire import account_codec

DAY = "2026-01-15"


def with_history() -> Customer:
    customer = Customer(RULES)
    customer.when(
        registered("r-1", f"{DAY} 09:00", segments=("vip",)),
        order_paid("o-1", f"{DAY} 10:00", 50000),
        review("v-1", f"{DAY} 10:05", order_id="o-1"),
        check_in("k-1", f"{DAY} 10:10"),
        hold_points("h-1", f"{DAY} 10:20", 300),
        hold_points("h-2", f"{DAY} 10:21", 100),
        confirm_hold("f-2", f"{DAY} 10:22", "h-2"),
        order_paid("o-3", f"{DAY} 10:23", 9000, hold_id="h-9"),
    )
    return customer


def test_holds_are_released_and_all_that_is_left_is_revoked():
    customer = with_history()
    before = customer.account.available
    events = customer.when(erase_customer("x-1", f"{DAY} 10:30"))
    assert brief(events) == [
        ("point-released", 300),
        ("point-revoked", before + 300),
        ("account-noted", 0),
    ]
    released, revoked, noted = data(events)
    assert released.reason == "erased"
    assert (revoked.reason, revoked.shortfall) == ("erased", 0)
    assert sum(part.points for part in revoked.grants) == before + 300
    assert (noted.kind, noted.note.request_id) == ("erased", "x-1")
    account = customer.account
    assert customer.balance == (0, 0, 0)
    assert account.granted == account.redeemed + account.revoked


def test_nothing_is_remembered_but_the_totals_and_the_request():
    customer = with_history()
    customer.when(erase_customer("x-1", f"{DAY} 10:30"))
    account = customer.account
    left = {name for name in ACCOUNT_FIELDS if getattr(account, name) != getattr(Account(), name)}
    assert left == {"granted", "redeemed", "revoked", "erased_at", "keys"}
    assert sum(map(len, account.keys.values())) == KEY_BYTES
    assert len(account_codec.encode(account)) < 100


def test_pending_points_are_revoked_too():
    at = ms(f"{DAY} 10:00")
    lots = [Lot("a.0", 10, at, NEVER), Lot("b.0", 0, at, NEVER, pending=200, available_at=NEVER)]
    account = Account(available=10, pending=200, granted=210, unpacked_lots=lots)
    events = decide.apply(account, erase_customer("x-1", f"{DAY} 10:30"), PLAIN, ms(f"{DAY} 10:30"))
    assert brief(events) == [("point-revoked", 210), ("account-noted", 0)]
    assert (account.pending, account.revoked, imbalance(account), account.lots) == (0, 210, 0, [])


def test_debt_is_repaid_by_what_a_hold_gives_back_and_the_rest_is_let_go():
    customer = Customer(PLAIN)
    customer.when(
        order_paid("o-1", f"{DAY} 10:00", 30000),
        hold_points("h-1", f"{DAY} 10:01", 300),
        release_hold("l-1", f"{DAY} 10:02", "h-1"),
        hold_points("h-2", f"{DAY} 10:03", 100),
        hold_points("h-3", f"{DAY} 10:04", 200),
        confirm_hold("f-3", f"{DAY} 10:05", "h-3"),
        order_paid("o-2", f"{DAY} 10:06", 300, hold_id="h-1"),
    )
    assert (customer.account.available, customer.account.debt) == (0, 300)
    events = customer.when(erase_customer("x-1", f"{DAY} 10:10"))
    assert brief(events) == [("point-released", 100), ("point-revoked", 100), ("account-noted", 0)]
    assert [each.reason for each in data(events)[:2]] == ["erased", "debt_repaid"]
    assert data(events)[-1].note.debt == 200
    assert customer.account.debt == 0


def test_what_a_hold_gives_back_after_its_date_expires():
    customer = Customer(PLAIN)
    customer.when(
        order_paid("o-1", "2026-01-15 10:00", 30000),
        hold_points("h-1", "2027-01-15 23:50", 100),
        review("v-1", "2027-01-15 23:51"),
    )
    events = customer.when(erase_customer("x-1", "2027-01-16 00:10"))
    assert brief(events) == [
        ("point-expired", 200),
        ("point-released", 100),
        ("point-expired", 100),
        ("point-revoked", 10),
        ("account-noted", 0),
    ]
    assert [event.id.partition(".")[2] for event in events[1:2] + events[3:]] == ["0", "1", "2"]


def test_a_customer_that_is_not_known_yet_is_erased_as_well():
    customer = Customer(RULES)
    assert brief(customer.when(erase_customer("x-1", f"{DAY} 10:00"))) == [("account-noted", 0)]
    assert customer.when(order_paid("o-1", f"{DAY} 09:00")) == []


@pytest.mark.parametrize(
    "fact",
    [
        registered("r-2", f"{DAY} 11:00"),
        order_paid("o-9", f"{DAY} 11:00"),
        check_in("k-9", f"{DAY} 11:00"),
        order_paid("o-0", f"{DAY} 09:00"),
    ],
    ids=lambda fact: fact.id,
)
def test_later_facts_emit_nothing(fact):
    customer = with_history()
    customer.when(erase_customer("x-1", f"{DAY} 10:30"))
    before = account_codec.encode(customer.account)
    assert customer.when(fact) == []
    assert account_codec.encode(customer.account) == before


@pytest.mark.parametrize(
    ("fact", "command", "command_id"),
    [
        (hold_points("h-7", f"{DAY} 11:00", 100), "hold-points", "h-7"),
        (confirm_hold("f-7", f"{DAY} 11:00", "h-1"), "confirm-hold", "h-1"),
        (release_hold("l-7", f"{DAY} 11:00", "h-1"), "release-hold", "h-1"),
        (erase_customer("x-2", f"{DAY} 11:00"), "erase-customer", "x-2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_later_commands_are_rejected_once(fact, command, command_id):
    customer = with_history()
    customer.when(erase_customer("x-1", f"{DAY} 10:30"))
    (rejected,) = data(customer.when(fact))
    assert (rejected.command, rejected.command_id, rejected.code) == (command, command_id, "account_erased")
    assert customer.when(fact) == []
    assert customer.account.holds == {}


def test_a_request_counts_once_under_any_event_id():
    customer = with_history()
    first = erase_customer("x-1", f"{DAY} 10:30")
    customer.when(first)
    assert customer.when(first) == []
    assert customer.when(erase_customer("e-2", f"{DAY} 10:40", request_id="x-1")) == []
    assert brief(customer.when(erase_customer("e-2", f"{DAY} 10:40", request_id="x-2"))) == [
        ("command-rejected", 0)
    ]


def test_nothing_falls_due_for_an_erased_account():
    customer = with_history()
    customer.when(erase_customer("x-1", f"{DAY} 10:30"))
    assert customer.clock("2030-01-01 00:00") == []
    assert customer.events[-1].time == moment(f"{DAY} 10:30")
