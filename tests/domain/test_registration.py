from given import PLAIN, RULES, Customer, brief, data, registered, updated

from loyalty_stream.domain.events import AccountNoted, PointGranted
from loyalty_stream.domain.notes import KeyNote, RegistrationNote, SegmentNote

T = "2026-03-01 10:00"


def test_registration_is_rewarded_once_and_remembered():
    customer = Customer()
    (granted,) = data(customer.when(registered("r-1", T, segments=("vip",), referred_by="c-9")))
    assert isinstance(granted, PointGranted)
    assert (granted.points, granted.rule, granted.rule_version, granted.reason) == (
        100,
        "registration",
        1,
        "registration",
    )
    assert granted.note == RegistrationNote(segments=("vip",), referred_by="c-9")
    assert (customer.account.segments, customer.account.referred_by) == (("vip",), "c-9")

    (again,) = data(
        customer.when(registered("r-2", "2026-03-02 10:00", segments=("new",), referred_by="c-8"))
    )
    assert isinstance(again, AccountNoted)
    assert (again.kind, again.note) == ("key", KeyNote())
    assert (customer.account.segments, customer.account.referred_by) == (("vip",), "c-9")
    assert customer.balance == (100, 0, 0)
    assert customer.when(registered("r-2", "2026-03-02 10:00")) == []


def test_a_registration_worth_nothing_is_remembered_all_the_same():
    customer = Customer(PLAIN)
    (noted,) = data(customer.when(registered("r-1", T, segments=("vip",))))
    assert isinstance(noted, AccountNoted)
    assert (noted.kind, noted.note) == ("registration", RegistrationNote(segments=("vip",)))
    customer.rules = RULES  # a reward set up later is not for those who have registered
    assert brief(customer.when(registered("r-2", T))) == [("account-noted", 0)]
    assert customer.balance == (0, 0, 0)


def test_nobody_refers_themselves():
    customer = Customer()
    (granted,) = data(customer.when(registered("r-1", T, referred_by="c-1")))
    assert granted.note == RegistrationNote()
    assert customer.account.referred_by == ""


def test_an_update_replaces_the_segments():
    customer = Customer()
    customer.when(registered("r-1", T, segments=("vip", "tea")))
    (noted,) = data(customer.when(updated("u-1", T, ("tea",))))
    assert isinstance(noted, AccountNoted)
    assert (noted.kind, noted.note) == ("segment", SegmentNote(segments=("tea",)))
    assert customer.account.segments == ("tea",)
    (same,) = data(customer.when(updated("u-2", T, ("tea",))))
    assert isinstance(same, AccountNoted)
    assert (same.kind, same.note) == ("key", KeyNote())
    customer.when(updated("u-3", T, ()))
    assert customer.account.segments == ()
