"""An account whose lots are packed whenever it is stored is the one whose lots never were."""

from copy import copy

from any_history import START_MS, STEPS, SUBJECT, history
from any_rules import DAY_MS, any_rules
from hypothesis import given
from hypothesis import strategies as st
from watched import LAWS

from loyalty_stream.domain import decide, expiry, fold_notes, identity, lots, orders
from loyalty_stream.domain.account import KEY_BUCKET_MS, NEVER, Account, Line, Lot, Order, Spent
from loyalty_stream.domain.events import Taken
from loyalty_stream.domain.notes import ForgottenNote
from loyalty_stream.wire import account_codec

EXPIRES_MS = START_MS + 365 * DAY_MS


@LAWS
@given(any_rules(), STEPS, st.randoms(use_true_random=False))
def test_a_history_ends_the_same_whenever_it_is_stored_and_read_on_the_way(rules, steps, random):
    stored, unpacked = Account(), Account()
    for now, fact in history(steps, rules):
        made = []
        for account in (stored, unpacked):
            events = expiry.settle(account, SUBJECT, rules, now)
            made.append(events + decide.apply(account, fact, rules, now))
        assert made[0] == made[1]
        seen = unpacked.lots
        assert lots.first_expires_at(stored) == (seen[0].expires_at if seen else NEVER)
        assert lots.dates(stored) == lots.dates(unpacked)
        assert expiry.next_due(stored, rules) == expiry.next_due(unpacked, rules)
        match random.choice(("go on", "store", "read")):
            case "store":
                account_codec.encode(stored)
            case "read":
                stored = account_codec.decode(account_codec.encode(stored))
    assert stored == unpacked


def test_a_lot_beside_one_of_its_time_unpacks_none_and_another_does():
    account = Account(
        unpacked_lots=[Lot("a", 1, START_MS, EXPIRES_MS), Lot("b", 2, START_MS + 1, EXPIRES_MS)]
    )
    account_codec.encode(account)
    account = account_codec.decode(account_codec.encode(account))
    assert account.unpacked_lots is None
    lots.add(account, "c", 3, START_MS + 2, EXPIRES_MS)
    lots.add(account, "d", 0, START_MS, EXPIRES_MS + 1, pending=4, available_at=NEVER)
    assert account.unpacked_lots is None
    assert lots.first_expires_at(account) == EXPIRES_MS
    lots.add(account, "e", 5, START_MS + 1, EXPIRES_MS)
    assert account.unpacked_lots is None
    lots.add(account, "f", 6, START_MS - KEY_BUCKET_MS, EXPIRES_MS)
    assert account.unpacked_lots is not None
    assert [(lot.grant_id, lot.points, lot.pending) for lot in account.lots] == [
        ("f", 6, 0), ("a", 1, 0), ("b", 2, 0), ("e", 5, 0), ("c", 3, 0), ("d", 0, 4),
    ]  # fmt: skip


ADDED = st.tuples(
    st.sampled_from("abc"),
    st.integers(0, 300),
    st.sampled_from([0, 1_000, 1_500, KEY_BUCKET_MS, 2 * KEY_BUCKET_MS]),
    st.integers(0, 2),
    st.booleans(),
)


@LAWS
@given(st.lists(ADDED, max_size=12), st.sets(st.integers(0, 11)))
def test_lots_are_in_spending_order_whether_they_are_packed_or_not(added, stored_after):
    packed, unpacked = Account(), Account()
    assert unpacked.lots == []
    for number, (letter, points, later, days, pends) in enumerate(added):
        of = (f"{letter}{number}", points, START_MS + later, EXPIRES_MS + days * DAY_MS)
        for account in (packed, unpacked):
            lots.add(account, *of, pending=7 if pends else 0, available_at=NEVER if pends else 0)
        assert unpacked.unpacked_lots is not None
        assert lots.first_expires_at(packed) == lots.first_expires_at(unpacked)
        if number in stored_after:
            packed = account_codec.decode(account_codec.encode(packed))
        assert lots.dates(packed) == lots.dates(unpacked)
    assert packed.lots == unpacked.lots


STEM = identity.text_of(identity.digest(SUBJECT, "/tests", "e1"))
PLACES = st.sampled_from([f"{STEM}.0", f"{STEM}.1", f"{STEM}.7", "a.0", "b", "c"])
"""Grants of a cause that is remembered, which records point to, and such as are written out."""
MADE = st.builds(
    Lot,
    PLACES,
    st.integers(0, 300),
    st.sampled_from([START_MS, START_MS + 1_500, START_MS + KEY_BUCKET_MS]),
    st.sampled_from([EXPIRES_MS, EXPIRES_MS + DAY_MS, NEVER]),
    held=st.sampled_from([0, 0, 5]),
)
PENDING = st.builds(
    Lot, PLACES, st.just(0), st.just(START_MS), st.just(EXPIRES_MS), pending=st.integers(1, 50),
    available_at=st.just(NEVER),
)  # fmt: skip
ALL_LOTS = st.lists(MADE | PENDING, max_size=6, unique_by=lambda lot: lot.grant_id)


def both(some: list[Lot]) -> tuple[Account, Account]:
    """An account with these lots packed, and one with the same unpacked."""
    made = Account(prefix=STEM[: identity.PREFIX])
    fold_notes.remember_cause(made, identity.key_of(identity.digest(SUBJECT, "/tests", "e1")), STEM, START_MS)
    for lot in some:
        if lot.points or lot.held or lot.pending:
            lots.insert(made, copy(lot))
    stored = account_codec.encode(made)
    packed, unpacked = account_codec.decode(stored), account_codec.decode(stored)
    assert unpacked.lots == made.lots
    return packed, unpacked


@LAWS
@given(
    ALL_LOTS,
    st.integers(0, 400),
    st.sampled_from([START_MS, EXPIRES_MS, EXPIRES_MS + 1]),
    st.sets(PLACES),
    st.sampled_from([START_MS, EXPIRES_MS]),
)
def test_packed_lots_are_taken_from_as_unpacked_ones_are(some, points, now, own, at):
    packed, unpacked = both(some)
    assert lots.in_spending_order(packed, points, now) == lots.in_spending_order(unpacked, points, now)
    taken = lots.to_take_back(packed, points, now, own, at)
    assert taken == lots.to_take_back(unpacked, points, now, own, at)
    for part in taken:
        assert lots.take(packed, *part_of(part)) == lots.take(unpacked, *part_of(part))
    assert packed.unpacked_lots is None
    same_lots(packed, unpacked)


def part_of(part: Taken) -> tuple[str, int]:
    return part.grant_id, part.points


def same_lots(packed: Account, unpacked: Account) -> None:
    assert lots.first_expires_at(packed) == lots.first_expires_at(unpacked)
    assert lots.first_due(packed) == lots.first_due(unpacked)
    assert lots.dates(packed) == lots.dates(unpacked)
    read = account_codec.decode(account_codec.encode(packed))
    assert account_codec.encode(packed) == account_codec.encode(read)
    for account in (packed, unpacked, read):  # one more finds its place among what is left
        lots.add(account, "z.0", 1, START_MS + 3_000, EXPIRES_MS)
    assert packed.lots == unpacked.lots == read.lots


@LAWS
@given(ALL_LOTS, st.data())
def test_packed_lots_move_as_unpacked_ones_do(some, data):
    packed, unpacked = both(some)
    for lot in data.draw(st.lists(st.sampled_from(some), max_size=6)) if some else ():
        change = {name: data.draw(st.integers(-9, 9)) for name in ("free", "held", "pending")}
        if data.draw(st.booleans()):  # often the lot goes
            change = {"free": -lot.points, "held": -lot.held, "pending": -lot.pending}
        ended = moved(packed, lot, change)
        assert ended == moved(unpacked, lot, change)
        if isinstance(ended, str):  # after an error an account is no good any more
            packed, unpacked = both(some)
    same_lots(packed, unpacked)


def moved(account: Account, lot: Lot, change: dict[str, int]) -> object:
    try:
        return lots.move(account, lot.grant_id, **change)
    except (LookupError, ValueError) as error:
        return str(error)


def test_what_is_held_and_spent_unpacks_no_lot():
    packed, _ = both([Lot(f"{STEM}.0", 300, START_MS, EXPIRES_MS), Lot(f"{STEM}.1", 20, START_MS, NEVER)])
    (part,) = lots.in_spending_order(packed, 100, START_MS)
    assert lots.move(packed, part.grant_id, free=-100, held=100) == (START_MS, EXPIRES_MS)
    lots.move(packed, part.grant_id, held=-100)
    lots.take(packed, f"{STEM}.1", 20)
    assert packed.unpacked_lots is None
    assert packed.lots == [Lot(f"{STEM}.0", 200, START_MS, EXPIRES_MS)]


def test_an_account_that_is_stored_lets_its_unpacked_lots_go():
    account = Account()
    lots.add(account, "a", 1, START_MS, EXPIRES_MS)
    lots.move(account, "a", free=1)
    account_codec.encode(account)
    assert account.unpacked_lots is None
    assert account.lots == [Lot("a", 2, START_MS, EXPIRES_MS)]
    account_codec.encode(account)
    lots.add(account, "b", 3, START_MS, EXPIRES_MS - 1)
    assert [lot.grant_id for lot in account.lots] == ["b", "a"]
    account_codec.encode(account)
    assert lots.first_expires_at(account) == EXPIRES_MS - 1
    lots.move(account, "b", free=-3)
    lots.move(account, "a", free=-2)
    account_codec.encode(account)
    assert (account.packed_lots, lots.first_expires_at(account), account.lots) == (b"", NEVER, [])


def test_an_order_outlives_the_cause_of_the_points_that_were_spent_on_it():
    """The order's record pointed to the grant's cause, whose bucket is forgotten before the order is."""
    account, later = Account(), START_MS + KEY_BUCKET_MS
    key = identity.key_of(identity.digest(SUBJECT, "/tests", "e1"))
    stem = identity.text_of(identity.digest(SUBJECT, "/tests", "e1"))
    fold_notes.remember_cause(account, key, stem, START_MS)
    spent = [Spent(f"{stem}.0", 5, START_MS, EXPIRES_MS)]
    orders.add(account, "o-1", Order("another stem", later, [Line("l", 100)], spent=spent))
    account = account_codec.decode(account_codec.encode(account))
    before = later // KEY_BUCKET_MS * KEY_BUCKET_MS
    fold_notes.fold_note(account, ForgottenNote(before=before, before_day=0), "stem", later)
    account = account_codec.decode(account_codec.encode(account))
    assert orders.find(account, "o-1").spent == spent
