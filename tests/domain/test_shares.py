import pytest
from given import RULES, Customer, data, share
from msgspec.structs import replace

from loyalty_stream.domain.calendar import local_day
from loyalty_stream.domain.events import AccountNoted, PointGranted
from loyalty_stream.domain.notes import KeyNote, ShareNote
from loyalty_stream.domain.rules import ShareRule

T = "2026-03-01 10:00"


def test_a_share_earns_once_whatever_the_events_id():
    customer = Customer()
    (granted,) = data(customer.when(share("e-1", T, share_id="s")))
    assert isinstance(granted, PointGranted)
    assert (granted.points, granted.rule, granted.reason, granted.day) == (5, "share", "share", None)
    assert granted.note == ShareNote("s", local_day(customer.now, RULES.zone))
    (again,) = data(customer.when(share("e-2", "2026-05-01 10:00", share_id="s")))
    assert isinstance(again, AccountNoted)
    assert again.note == KeyNote()
    assert customer.balance == (5, 0, 0)


@pytest.mark.parametrize(("limit", "earned"), [(1, 1), (3, 3), (0, 6)])
def test_so_many_earn_a_day(limit, earned):
    customer = Customer(replace(RULES, share=ShareRule(points=5, daily_limit=limit)))
    for number in range(6):
        (event,) = data(customer.when(share(f"e-{number}", T)))
        assert isinstance(event.note, ShareNote)
        assert event.note.earned == isinstance(event, PointGranted) == (number < earned)
    customer.when(share("e-6", "2026-03-02 00:00"))
    assert customer.balance == (5 * earned + 5, 0, 0)


def test_a_late_share_counts_for_its_own_day():
    customer = Customer(replace(RULES, share=ShareRule(points=5, daily_limit=1)))
    facts = [share("e-1", "2026-03-02 10:00"), share("e-2", T), share("e-3", T)]
    assert [isinstance(data(customer.when(fact))[0], PointGranted) for fact in facts] == [True, True, False]


def test_without_the_rule_a_share_is_remembered():
    customer = Customer(replace(RULES, share=None))
    (noted,) = data(customer.when(share("e-1", T, share_id="s")))
    assert isinstance(noted, AccountNoted)
    assert (noted.kind, noted.note) == (
        "share",
        ShareNote("s", local_day(customer.now, RULES.zone), earned=False),
    )
    customer.rules = RULES
    (again,) = data(customer.when(share("e-2", T, share_id="s")))
    assert again.note == KeyNote()
