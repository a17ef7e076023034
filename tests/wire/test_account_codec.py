from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.inspect import type_info

from loyalty_stream.domain.account import Account, Hold, Lot, Order, Waiting
from loyalty_stream.wire import account_codec
from loyalty_stream.wire.account_codec import VERSION, UnreadableAccountError, decode, encode, upcast
from tests.wire.samples import account
from tests.wire.strategies import values_of

GOLDEN = Path(__file__).parent / "golden"


@given(values_of(type_info(Account)))
def test_what_is_stored_is_read_back_the_same(stored):
    assert decode(encode(stored)) == stored


def test_an_account_never_seen_is_small():
    assert decode(encode(Account())) == Account()
    assert len(encode(Account())) < 48


def test_the_order_of_holds_orders_and_keys_is_kept():
    stored = Account(orders={name: Order(1, 1) for name in ("c", "a", "b")})
    assert list(decode(encode(stored)).orders) == ["c", "a", "b"]


def test_every_format_ever_written_is_still_read():
    files = sorted(GOLDEN.glob("account-v*.hex"))
    assert [file.name for file in files] == [f"account-v{version}.hex" for version in range(1, VERSION + 1)]
    for file in files:
        assert decode(bytes.fromhex(file.read_text())) == account()


def test_this_format_has_not_changed():
    """Red? Then stored accounts would not be read right: raise VERSION, add an upcaster and a golden file."""
    written = encode(account())
    assert bytes.fromhex((GOLDEN / f"account-v{VERSION}.hex").read_text()) == written
    # A field added at the end would go unseen above where its default is not written; so they are counted.
    assert [len(kind.__struct_fields__) for kind in (Account, Lot, Hold, Order, Waiting)] == [22, 5, 5, 2, 3]


def rename(fields: list[object]) -> list[object]:
    return [f"{fields[0]}!", *fields[1:]]


def add(fields: list[object]) -> list[object]:
    return [*fields, "new"]


def test_upcasters_run_one_after_the_other():
    assert upcast(["a", 1], 1, 3, {1: rename, 2: add}) == ["a!", 1, "new"]
    assert upcast(["a", 1], 2, 3, {1: rename, 2: add}) == ["a", 1, "new"]


def test_an_old_account_is_brought_up_to_date(monkeypatch):
    """The format of today as if it were an older one, whose `referred_by` had not been there."""
    old = msgspec.msgpack.encode((0, list(msgspec.structs.astuple(account()))[:-1]))
    monkeypatch.setattr(account_codec, "UPCASTERS", {0: lambda fields: [*fields, "customer-9"]})
    assert decode(old) == msgspec.structs.replace(account(), referred_by="customer-9")


@pytest.mark.parametrize(
    ("version", "named"),
    [(VERSION + 1, "newer release"), (127, "newer release"), (0, "can't bring format 0")],
)
def test_an_unknown_format_is_refused_loudly(version, named):
    value = bytes((0x92, version)) + encode(account())[2:]
    with pytest.raises(UnreadableAccountError, match=named):
        decode(value)


@pytest.mark.parametrize(
    "value", [b"", b"\x92", b"{}", encode(account())[:-1], b"\x92\x01\xc0", b"\x92\x01\x91\xa1x"]
)
def test_bytes_that_are_no_account_are_refused(value):
    with pytest.raises(UnreadableAccountError, match="can't be read"):
        decode(value)


@given(st.binary(max_size=100))
def test_no_bytes_fail_in_another_way(value):
    with suppress(UnreadableAccountError):
        decode(value)
