from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import identity, lot_records, lots, orders
from loyalty_stream.domain.account import (
    ACCOUNT_FIELDS,
    NEVER,
    Account,
    Counted,
    Hold,
    Line,
    Lot,
    Order,
    ReviewAward,
    Spent,
    Waiting,
)
from loyalty_stream.domain.day_records import Days
from loyalty_stream.wire import account_codec
from loyalty_stream.wire.account_codec import VERSION, UnreadableAccountError, decode, encode, upcast
from tests.wire.samples import AT_MS, ORDERS, STEM, account, account_of_campaigns, account_of_refunds

GOLDEN = Path(__file__).parent / "golden"

AMOUNTS = st.one_of(
    st.integers(0, 300), st.sampled_from([0xFFFF, 0x10000, 0xFFFFFF, 0x1000000]), st.integers(0, 10**12)
)
GRANTS = st.builds(
    "{}.{}".format,
    st.sampled_from(
        [STEM, "", "cust", "other-prefix", "cust?&%$#!+ö", "cust????????", "cust+/keykey", "cust  keykey"]
    ),
    st.integers(0, 300),
)
INSTANTS = st.one_of(
    st.just(AT_MS),
    st.integers(-1_000, 100_000_000).map(lambda more: AT_MS + more),
    st.sampled_from([0, NEVER]),
    st.integers(0, 4 * 10**12),
    st.integers(0, 3_000).map(lambda quarters: (AT_MS // 900_000 + 364 * 96 + quarters) * 900_000),
)


@given(
    st.integers(-(2**62), 2**62) | INSTANTS | st.integers(0, 300) | st.sampled_from([AT_MS // 1000 * 1000])
)
def test_any_registration_and_first_order_is_read_back_the_same(at):
    stored = account()
    stored.registered_at = at
    stored.first_order = "another stem"
    for _ in range(2):
        read = decode(encode(stored))
        assert (read.registered_at, read.first_order) == (at, "another stem")
    assert decode(encode(read)) == stored


def test_a_registration_is_stored_as_a_cause_of_its_second():
    stored = account()
    long = len(encode(stored))
    stored.registered_at = AT_MS // 1000 * 1000
    assert len(encode(stored)) < long - 4
    assert decode(encode(stored)).registered_at == AT_MS // 1000 * 1000
    lot_records.forget_records(stored)
    for order in orders.each(stored):
        orders.save(stored, order)
    stored.orders, stored.causes = {}, {}
    assert decode(encode(stored)).registered_at == AT_MS // 1000 * 1000


@given(st.integers(-5, 300), st.lists(st.integers(-5, 300), max_size=3))
def test_the_points_of_a_hold_are_read_back_even_where_they_are_not_those_spent(points, spent):
    stored = account()
    parts = [Spent(f"{STEM}.1", each, AT_MS, NEVER) for each in spent]
    stored.holds["h-3"] = Hold(points, AT_MS, "confirmed", [], "", parts)
    assert decode(encode(stored)) == stored


@given(st.builds(Lot, GRANTS, AMOUNTS, INSTANTS, INSTANTS, AMOUNTS, AMOUNTS, INSTANTS))
def test_any_lot_is_read_back_the_same(lot):
    stored = account()
    stored.lots.append(lot)
    assert decode(encode(stored)) == stored


@given(st.builds(Spent, GRANTS, AMOUNTS, INSTANTS, INSTANTS, AMOUNTS), st.sampled_from(["open", "new state"]))
def test_any_hold_is_read_back_the_same(spent, state):
    stored = account()
    stored.holds["h-3"] = Hold(1, AT_MS, state, [("g", 1)], "", [spent])
    assert decode(encode(stored)) == stored


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", 3),
        ("held", 0),
        ("expires_at", AT_MS),
        ("pending", 3),
        ("available_at", AT_MS),
        ("grant_id", "g"),
        ("earned_at", AT_MS + 1),
    ],
)
def test_a_lot_that_changes_is_stored_anew(field, value):
    stored = account()
    encode(stored)
    setattr(stored.lots[0], field, value)
    lots.changed(stored)  # as whatever changes a lot does
    assert getattr(decode(encode(stored)).lots[0], field) == value


def test_a_hold_that_changes_is_stored_anew():
    stored = account()
    encode(stored)
    stored.holds["h-1"].taken, stored.holds["h-1"].state = [], "released"
    read = decode(encode(stored)).holds["h-1"]
    assert (read.taken, read.state) == ([], "released")


def test_an_account_never_seen_is_small():
    assert decode(encode(Account())) == Account()
    assert len(encode(Account())) < 32


def test_orders_are_read_back_the_same_and_found_by_id_and_by_stem():
    read = decode(encode(account()))
    for order_id, order in ORDERS.items():
        expected = deepcopy(order)
        expected.key = identity.order_key(order_id)
        assert orders.find(read, order_id) == expected
    assert orders.by_stem(read, STEM) == orders.find(read, "plain")
    assert orders.by_stem(read, "another stem") is None
    assert orders.find(read, "another order") is None
    assert [order.key for order in orders.each(read)] == [identity.order_key(name) for name in ORDERS]
    assert orders.count(read) == 3


def test_an_order_that_is_saved_takes_its_old_place():
    stored = account()
    order = orders.find(stored, "plain")
    order.lines[0].refunded = 1
    assert orders.find(stored, "plain") is order  # a fact looks several times for the same one
    orders.save(stored, order)
    for each in (stored, decode(encode(stored))):
        assert orders.find(each, "plain").lines[0].refunded == 1
        assert [order.key for order in orders.each(each)] == [identity.order_key(name) for name in ORDERS]


def test_the_latest_awarded_first_are_the_orders_with_awards_the_other_way_round():
    stored = account_of_campaigns()
    orders.save(stored, orders.find(stored, "plain"))
    for name in ("new", "newer"):
        awarded = Counted("collect", accumulates=True, awards=1, order_id=name)
        orders.add(stored, name, Order("", AT_MS, [Line("1", 1)], campaigns=[awarded]))
    for each in (stored, decode(encode(stored))):
        every = [order.key for order in orders.each(each)]
        found = [key for key, _ in orders.latest_awarded(each)]
        assert found == [key for key in reversed(every) if key in found]
        assert found[:2] == [identity.order_key("newer"), identity.order_key("new")]
        assert identity.order_key("by campaigns") in found
        assert identity.order_key("plain") not in found or each is stored
        assert orders.count(each) == len(ORDERS) + 3


def test_a_key_that_stands_within_another_record_is_not_taken_for_an_order():
    stored = Account()
    key = identity.order_key("sought")
    orders.add(stored, "other", Order("", AT_MS, [Line(key.hex(), 1)], spent=[]))
    orders.pack(stored)
    (bucket,) = stored.orders
    inside = stored.orders[bucket].replace(key.hex().encode(), key.ljust(12, b"."))
    stored.orders[bucket] = inside
    assert key in inside
    assert orders.find(stored, "sought") is None


def test_accounts_are_the_same_however_far_their_orders_are_packed():
    packed, not_packed = account(), account()
    not_packed.orders, not_packed.terms, not_packed.unpacked = {}, b"", {}
    for order_id, order in ORDERS.items():
        orders.add(not_packed, order_id, deepcopy(order))
    assert packed == not_packed
    not_packed.unpacked[identity.order_key("plain")].completed = True
    assert packed != not_packed


def test_the_order_of_what_waits_is_kept():
    stored = Account(waiting={name: Waiting("h", 1, "{}") for name in ("c", "a", "b")})
    assert list(decode(encode(stored)).waiting) == ["c", "a", "b"]


def test_this_format_has_not_changed():
    """Red? Then stored accounts would not be read right: raise VERSION, add an upcaster and a golden file.

    Not if `Account`, or what is stored in it as it is, has only got a field at its end, empty by default: then the
    file has it too, and accounts without it are still read, as the tests below say.
    """
    written = (GOLDEN / f"account-v{VERSION}.hex").read_text()
    assert encode(account_of_refunds()).hex() == written.strip()
    assert decode(bytes.fromhex(written)) == account_of_refunds()


def test_an_account_that_ends_early_has_what_it_lacks_by_default():
    """As one from before fields were added to the end."""
    head, fields = msgspec.msgpack.decode(encode(account()))
    lacking = account()
    lacking.reward_counts = {}
    assert decode(msgspec.msgpack.encode((head, fields[:-1]))) == lacking


def test_a_participation_from_before_awards_were_told_apart_has_none_apart():
    head, fields = msgspec.msgpack.decode(encode(account()))
    place = next(at for at, field in enumerate(fields) if field == {"spring": [20_000, 1, 0]})
    fields[place] = {"spring": [20_000, 1]}
    assert decode(msgspec.msgpack.encode((head, fields))) == account()


def test_what_campaigns_gave_for_reviews_is_read_back_the_same():
    stored = account()
    award = ReviewAward("spring", AT_MS, 30, f"{STEM}.0", f"{STEM}.1", 2, STEM, "tea-cup")
    stored.review_awards = {b"review": [award, ReviewAward("summer", AT_MS)]}
    assert decode(encode(stored)) == stored
    assert decode(encode(Account(review_awards={b"review": [award]}))).review_awards == {b"review": [award]}


@pytest.mark.parametrize("name", ACCOUNT_FIELDS)
def test_a_field_is_stored_even_where_all_others_are_empty(name):
    lonely = Account()
    setattr(lonely, name, getattr(account(), name))
    read = decode(encode(lonely))
    # Some tell nothing by themselves, or only how far others are unpacked.
    if name not in {"keys", "causes", "orders", "granted", "terms", "unpacked_terms", "terms_unpacked"}:
        assert getattr(read, name) == getattr(lonely, name)


def test_every_format_ever_written_is_still_read():
    files = sorted(GOLDEN.glob("account-v*.hex"))
    assert [file.name for file in files] == [f"account-v{version}.hex" for version in range(1, VERSION + 1)]
    for file in files:
        decode(bytes.fromhex(file.read_text()))


@pytest.mark.parametrize(("version", "written"), [(2, account), (3, account), (4, account_of_campaigns)])
def test_an_account_of_an_earlier_format(version, written):
    """It lost nothing on the way: the sample has something in every field."""
    assert decode(bytes.fromhex((GOLDEN / f"account-v{version}.hex").read_text())) == written()


def test_an_account_of_the_second_format_that_ends_early():
    assert decode(b"\x92\x02\x91\x91\x07") == Account(available=7, granted=7)


def test_an_account_of_the_first_format():
    read = decode(bytes.fromhex((GOLDEN / "account-v1.hex").read_text()))
    key = identity.order_key("o-1")
    stem = f"v1-{identity.text_of(key)}"
    bucket = 731 // 4
    assert read == Account(
        available=150,
        pending=1,
        held=40,
        debt=2,
        granted=500,
        redeemed=200,
        expired=100,
        revoked=10,
        restored=1,
        registered_at=AT_MS,
        first_order=stem,
        unpacked_lots=[Lot("abcdefghijkl.0", 150, AT_MS, AT_MS + 1, held=40)],
        holds={"h-1": Hold(40, AT_MS + 2, "open", [("abcdefghijkl.0", 40)], "o-2")},
        unpacked={key: Order(stem, AT_MS, [Line("1", 19050)], first=True, key=key)},
        waiting={"o-2": Waiting("h-2", AT_MS + 3, "{}", "o-2")},
        keys={bucket: b"123456abcdef"},
        days=Days({20468: {"review": 2, "points": 30}}, [(20460, 3), (20466, 1)]),
        surveys=["nps-2026"],
        warned={AT_MS + 1: ["P30D", "P7D"]},
        segments=("vip", "tea"),
        referred_by="customer-2",
        causes={bucket: b"123456\0\0\0abcdef\0\0\0"},
    )
    assert orders.find(read, "o-1").left_amount == 19050
    assert decode(encode(read)) == read


def rename(fields: list[object]) -> list[object]:
    return [f"{fields[0]}!", *fields[1:]]


def add(fields: list[object]) -> list[object]:
    return [*fields, "new"]


def test_upcasters_run_one_after_the_other():
    assert upcast(["a", 1], 1, 3, {1: rename, 2: add}) == ["a!", 1, "new"]
    assert upcast(["a", 1], 2, 3, {1: rename, 2: add}) == ["a", 1, "new"]


def test_an_old_account_is_brought_up_to_date(monkeypatch):
    """The format of today as if it were an older one, whose sums had not been there."""
    head, (_, *fields) = msgspec.msgpack.decode(encode(account()))
    monkeypatch.setattr(
        account_codec, "UPCASTERS", {VERSION - 2: list, VERSION - 1: lambda fields: [[7], *fields]}
    )
    read = decode(msgspec.msgpack.encode((head - 2, fields)))
    assert (read.available, read.granted, read.lots) == (7, 7, account().lots)


@pytest.mark.parametrize(
    ("version", "named"),
    [(VERSION + 1, "newer release"), (127, "newer release"), (0, "can't bring format 0")],
)
def test_an_unknown_format_is_refused_loudly(version, named):
    value = bytes((0x92, version)) + encode(account())[2:]
    with pytest.raises(UnreadableAccountError, match=named):
        decode(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x92",
        b"{}",
        encode(account())[:-1],
        b"\x92\x02\xc0",
        b"\x92\x02\x91\xa1x",
        b"\x92\x03\xc0",
        b"\x92\x03\x91\xa1x",
        b"\x92\x01\xc0",
        b"\x92\x01\x90",
        b"\x92\x02\x94\x90\x00\x00\xc4\x01\x00",  # records of lots that end within one
    ],
)
def test_bytes_that_are_no_account_are_refused(value):
    with pytest.raises(UnreadableAccountError, match="can't be read"):
        decode(value)


@given(st.binary(max_size=100))
def test_no_bytes_fail_in_another_way(value):
    with suppress(UnreadableAccountError):
        decode(value)


@given(st.integers(2, 600), st.binary(min_size=1, max_size=4))
def test_no_damage_fails_in_another_way(at, damage):
    value = encode(account())
    with suppress(UnreadableAccountError):
        decode(value[:at] + damage + value[at + len(damage) :])
