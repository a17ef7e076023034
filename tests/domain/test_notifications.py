from datetime import UTC, datetime

import pytest
from given import PLAIN, moment
from msgspec.structs import replace

from loyalty_stream.domain.events import (
    EVENT_TYPE,
    AccountNoted,
    CommandRejected,
    DrawWon,
    PointEvent,
    PointExpiring,
    RewardIssued,
    TierChanged,
)
from loyalty_stream.domain.notes import CampaignStartedNote, KeyNote
from loyalty_stream.domain.notifications import notify
from loyalty_stream.domain.told import Told

LATER = datetime(2027, 1, 16, tzinfo=UTC)
STARTED = AccountNoted(
    kind="campaign-started",
    note=CampaignStartedNote("spring-week", 1, LATER, ("announcement", "sms"), "spring"),
)
EXPIRING = PointExpiring(points=30, expires_at=LATER, notice="P7D")


def event(data, at: str = "2026-01-15 10:00", event_id: str = "abc.0") -> PointEvent:
    return PointEvent(event_id, EVENT_TYPE[type(data)], "c-1", moment(at), data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (STARTED, {"kind": "campaign-started", "campaign_id": "spring-week", "template": "spring"}),
        (EXPIRING, {"kind": "points-expiring", "points": 30, "expires_at": LATER}),
        (
            TierChanged(before="silver", to="gold", valid_until=LATER),
            {"kind": "tier-changed", "before": "silver", "to": "gold", "valid_until": LATER},
        ),
        (
            DrawWon(entry_id="e-1", campaign_id="spring-week", prize="tea-set", proof="00"),
            {"kind": "draw-won", "entry_id": "e-1", "prize": "tea-set", "campaign_id": "spring-week"},
        ),
        (
            RewardIssued(redemption_id="r-1", reward_id="tea-cup", quantity=2, reward="goods"),
            {"kind": "reward-issued", "redemption_id": "r-1", "reward_id": "tea-cup", "quantity": 2},
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_what_is_worth_telling(data, told):
    made = notify(Told(), event(data), PLAIN)
    assert made is not None
    assert (made.subject, made.time, made.data.about) == ("c-1", moment("2026-01-15 10:00"), "abc.0")
    assert {name: getattr(made.data, name) for name in told} == told
    assert made.data.channels


def test_a_campaign_names_its_channels():
    made = notify(Told(), event(STARTED), PLAIN)
    assert made is not None
    assert made.data.channels == ("announcement", "sms")


@pytest.mark.parametrize(
    "data",
    [
        AccountNoted(kind="key", note=KeyNote()),
        CommandRejected(command="hold-points", command_id="h-1", code="not_a_step", message=""),
    ],
)
def test_nothing_else_is_told(data):
    told = Told()
    assert notify(told, event(data), PLAIN) is None
    assert told == Told()


def test_the_id_is_derived_from_the_point_event_and_differs_from_it():
    first, again = (notify(Told(), event(EXPIRING), PLAIN) for _ in range(2))
    other = notify(Told(), event(EXPIRING, event_id="abc.1"), PLAIN)
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.id == again.id
    assert len({first.id, other.id, "abc.0"}) == 3


@pytest.mark.parametrize(("cap", "sent"), [(3, 3), (1, 1), (0, 5)])
def test_no_more_a_day_than_the_cap(cap, sent):
    rules = replace(PLAIN, notifications_daily=cap)
    told = Told()
    made = [notify(told, event(EXPIRING, event_id=f"abc.{number}"), rules) for number in range(5)]
    assert [each is not None for each in made] == [True] * sent + [False] * (5 - sent)


def test_the_day_is_local_and_a_new_one_starts_anew():
    rules = replace(PLAIN, notifications_daily=1)
    told = Told()
    assert notify(told, event(EXPIRING, "2026-01-15 23:59", "a.0"), rules)
    assert notify(told, event(EXPIRING, "2026-01-15 23:59", "a.1"), rules) is None
    assert notify(told, event(EXPIRING, "2026-01-16 00:00", "a.2"), rules)
    assert notify(told, event(EXPIRING, "2026-01-14 12:00", "a.3"), rules) is None, "late: told today"


def test_a_repeated_event_is_told_of_once():
    told = Told()
    assert notify(told, event(EXPIRING), PLAIN)
    before = replace(told)
    assert notify(told, event(EXPIRING), PLAIN) is None
    assert told == before
