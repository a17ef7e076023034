import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import lots
from loyalty_stream.domain.account import NEVER, Account, Lot
from loyalty_stream.domain.events import Taken

LOTS = st.lists(
    st.builds(
        Lot,
        grant_id=st.integers(0, 99).map(lambda number: f"g{number}"),
        points=st.integers(0, 9),
        earned_at=st.integers(0, 3),
        expires_at=st.sampled_from([10, 20, NEVER]),
        held=st.integers(1, 9),
    ),
    unique_by=lambda lot: lot.grant_id,
)


def spending_order(lot: Lot) -> tuple[int, int, str]:
    return lot.expires_at, lot.earned_at, lot.grant_id


@given(LOTS)
def test_lots_stand_in_spending_order_however_they_come(some):
    account = Account()
    for lot in some:
        lots.insert(account, lot)
    assert account.lots == sorted(some, key=spending_order)


@given(LOTS, st.integers(0, 100), st.sampled_from([5, 10, 15, 20]))
def test_spending_takes_what_expires_first_and_nothing_expired(some, points, now):
    kept = sorted(some, key=spending_order)
    taken = lots.in_spending_order(Account(unpacked_lots=kept), points, now)
    usable = [lot for lot in kept if lot.expires_at > now and lot.points]
    assert lots.total(taken) == min(points, sum(lot.points for lot in usable))
    assert [part.grant_id for part in taken] == [lot.grant_id for lot in usable[: len(taken)]]
    assert all(part.points == lot.points for part, lot in zip(taken[:-1], usable, strict=False))


@pytest.mark.parametrize(
    ("points", "now", "taken"),
    [
        (5, 0, [("soon", 5)]),
        (15, 0, [("soon", 10), ("early", 5)]),
        (30, 0, [("soon", 10), ("early", 10), ("late", 10)]),
        (99, 0, [("soon", 10), ("early", 10), ("late", 10), ("ever", 10)]),
        (5, 99, [("soon", 5)]),
        (5, 100, [("early", 5)]),  # at the very moment of its date it has expired
        (0, 0, []),
    ],
)
def test_the_order_in_which_points_are_spent(points, now, taken):
    kept = [
        Lot("soon", 10, 3, 100),
        Lot("early", 10, 1, 200),
        Lot("late", 10, 2, 200),
        Lot("ever", 10, 0, NEVER),
    ]
    assert lots.in_spending_order(Account(unpacked_lots=kept), points, now) == tuple(
        Taken(*part) for part in taken
    )


def test_a_lot_with_nothing_free_and_nothing_held_is_gone():
    account = Account(unpacked_lots=[Lot("a", 10, 0, 100), Lot("b", 10, 0, 200)])
    lots.move(account, "a", free=-10, held=10)
    assert account.lots[0] == Lot("a", 0, 0, 100, held=10)
    lots.move(account, "a", free=0, held=-10)
    assert account.lots == [Lot("b", 10, 0, 200)]


def test_an_event_of_another_history_is_refused():
    account = Account(unpacked_lots=[Lot("a", 10, 0, 100)])
    with pytest.raises(LookupError, match="no lot of grant b is left"):
        lots.move(account, "b", free=-1, held=0)
    with pytest.raises(ValueError, match="lot a would have -1 points free"):
        lots.move(account, "a", free=-11, held=0)
