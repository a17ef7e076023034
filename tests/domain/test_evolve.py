import msgspec
import pytest
from given import SOURCE, moment, ms

from loyalty_stream.domain import identity
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account, Hold, Line, Lot, Order, Waiting
from loyalty_stream.domain.day_records import Days
from loyalty_stream.domain.events import (
    AccountNoted,
    Balance,
    Cause,
    CommandRejected,
    PointEvent,
    PointEventData,
    PointExpired,
    PointExpiring,
    PointGranted,
    PointHeld,
    PointRedeemed,
    PointReleased,
    PointRevoked,
    Taken,
    TierChanged,
)
from loyalty_stream.domain.evolve import evolve, fold
from loyalty_stream.domain.notes import (
    ActivityNote,
    CheckInNote,
    ForgottenNote,
    GameNote,
    HoldNote,
    KeyNote,
    Note,
    OrderNote,
    ReferralNote,
    RegistrationNote,
    ReviewNote,
    SegmentNote,
    ShareNote,
    SurveyNote,
    TierNote,
    WaitingNote,
)

AT = ms("2026-01-15 10:00")
EXPIRES = moment("2027-01-16 00:00")
EXPIRES_MS = ms("2027-01-16 00:00")
DUE = moment("2026-01-15 10:30")


def granted(grant_id: str = "g", points: int = 100, **more) -> PointGranted:
    return PointGranted(
        grant_id=grant_id,
        points=points,
        rule="base",
        rule_version=1,
        reason="purchase",
        available_at=moment("2026-01-15 10:00"),
        expires_at=EXPIRES,
        **more,
    )


def after(*events: PointEventData, account: Account | None = None) -> Account:
    account = account or Account()
    for event in events:
        evolve(account, event, b"", "stem", AT, first=True)
    return account


def kept(order_id: str, order: Order) -> dict[bytes, Order]:
    order.key = identity.order_key(order_id)
    return {order.key: order}


def noted(note: Note) -> AccountNoted:
    return AccountNoted(kind="any", note=note)


HELD = PointHeld(hold_id="h", points=60, due_at=DUE, grants=(Taken("g", 60),), order_id="o")
OPEN = (granted(), HELD)
LOT = Lot("g", 100, AT, EXPIRES_MS)


@pytest.mark.parametrize(
    ("events", "changed"),
    [
        ([granted()], {"available": 100, "granted": 100, "unpacked_lots": [LOT]}),
        (
            [granted(day=20468), granted("g2", 5, day=20468)],
            {
                "available": 105,
                "granted": 105,
                "unpacked_lots": [LOT, Lot("g2", 5, AT, EXPIRES_MS)],
                "days": Days({20468: {"points": 105}}, []),
            },
        ),
        (
            OPEN,
            {
                "available": 40,
                "held": 60,
                "granted": 100,
                "unpacked_lots": [Lot("g", 40, AT, EXPIRES_MS, 60)],
                "holds": {"h": Hold(60, ms("2026-01-15 10:30"), "open", [("g", 60)], "o")},
            },
        ),
        (
            [*OPEN, PointReleased(hold_id="h", points=60, reason="timed_out", grants=(Taken("g", 60),))],
            {
                "available": 100,
                "granted": 100,
                "unpacked_lots": [LOT],
                "holds": {"h": Hold(60, ms("2026-01-15 10:30"), "released", [], "o")},
            },
        ),
        (
            [*OPEN, PointReleased(hold_id="h", points=20, reason="over_order", grants=(Taken("g", 20),))],
            {
                "available": 60,
                "held": 40,
                "granted": 100,
                "unpacked_lots": [Lot("g", 60, AT, EXPIRES_MS, 40)],
                "holds": {"h": Hold(60, ms("2026-01-15 10:30"), "open", [("g", 40)], "o")},
            },
        ),
        (
            [*OPEN, PointRedeemed(points=60, grants=(Taken("g", 60),), amount=60, hold_id="h", order_id="o")],
            {
                "available": 40,
                "redeemed": 60,
                "granted": 100,
                "unpacked_lots": [Lot("g", 40, AT, EXPIRES_MS)],
                "holds": {"h": Hold(60, ms("2026-01-15 10:30"), "spent", [], "o")},
            },
        ),
        (
            [granted(), PointExpired(grant_id="g", points=100, expires_at=EXPIRES)],
            {"granted": 100, "expired": 100},
        ),
        (
            [granted(), PointExpiring(points=100, expires_at=EXPIRES, notice="P30D")],
            {"available": 100, "granted": 100, "unpacked_lots": [LOT], "warned": {EXPIRES_MS: ["P30D"]}},
        ),
        (
            [
                PointRevoked(points=0, reason="hold_shortfall", grants=(), shortfall=30, owed=30),
                granted(),
                PointRevoked(points=30, reason="debt_repaid", grants=(Taken("g", 30),), shortfall=0),
            ],
            {"available": 70, "granted": 100, "revoked": 30, "unpacked_lots": [Lot("g", 70, AT, EXPIRES_MS)]},
        ),
        ([PointRevoked(points=0, reason="hold_shortfall", grants=(), shortfall=30, owed=30)], {"debt": 30}),
        ([PointRevoked(points=0, reason="hold_shortfall", grants=(), shortfall=30)], {}),
        (
            [CommandRejected(command="hold-points", command_id="h", code="not_a_step", message="")],
            {"holds": {"h": Hold(0, AT, "rejected", [])}},
        ),
        ([CommandRejected(command="confirm-hold", command_id="h", code="unknown_hold", message="")], {}),
        (
            [TierChanged(before=None, to="silver", valid_until=EXPIRES, tier_points=1000)],
            {"tier": "silver", "tier_until": EXPIRES_MS, "tier_points": 1000},
        ),
        (
            [
                TierChanged(before=None, to="silver", valid_until=EXPIRES, spend_amount=1000),
                TierChanged(before="silver", to=None, spend_amount=900),
            ],
            {"tier_spend": 900},
        ),
    ],
)
def test_what_points_do(events, changed):
    assert after(*events) == Account(**changed)


@pytest.mark.parametrize(
    ("note", "changed"),
    [
        (KeyNote(), {}),
        (
            OrderNote("o", (("1", 900),)),
            {"unpacked": kept("o", Order("stem", AT, [Line("1", 900)])), "tier_spend": 900},
        ),
        (
            OrderNote("o", (("1", 900),), first=True),
            {
                "unpacked": kept("o", Order("stem", AT, [Line("1", 900)], first=True)),
                "first_order": "stem",
                "tier_spend": 900,
            },
        ),
        (
            WaitingNote("o", DUE, "{}", "h"),
            {"waiting": {"stem": Waiting("h", ms("2026-01-15 10:30"), "{}", "o")}},
        ),
        (
            RegistrationNote(("vip",), "c-2"),
            {"registered_at": AT, "segments": ("vip",), "referred_by": "c-2"},
        ),
        (SegmentNote(("vip",)), {"segments": ("vip",)}),
        (
            TierNote(EXPIRES, 80),
            {"tier_until": EXPIRES_MS, "tier_points": 80},
        ),
        (TierNote(spend_amount=900), {"tier_spend": 900}),
        (ReferralNote("c-2", 50), {"referral_told": True}),
        (SurveyNote("nps", "r"), {"surveys": ["nps"]}),
        (CheckInNote(20468), {"days": Days({}, [(20468, 1)])}),
        (
            ReviewNote("r", "tea", 20468),
            {
                "days": Days({20468: {"review": 1}}, []),
                "keys": {AT // KEY_BUCKET_MS: identity.business_key("review", "r")},
            },
        ),
        (
            ReviewNote("r", "tea", 20468, order_id="o", earned=False),
            {
                "keys": {
                    AT // KEY_BUCKET_MS: identity.business_key("review", "r")
                    + identity.business_key("reviewed", "o", "tea")
                }
            },
        ),
        (
            ShareNote("s", 20468),
            {
                "days": Days({20468: {"share": 1}}, []),
                "keys": {AT // KEY_BUCKET_MS: identity.business_key("share", "s")},
            },
        ),
        (
            GameNote("spin", "p", 20468),
            {
                "days": Days({20468: {"game:spin": 1}}, []),
                "keys": {AT // KEY_BUCKET_MS: identity.business_key("game", "spin", "p")},
            },
        ),
        (ActivityNote("fair", "a"), {"keys": {AT // KEY_BUCKET_MS: identity.business_key("activity", "a")}}),
    ],
)
def test_what_an_account_remembers(note, changed):
    assert after(noted(note)) == Account(**changed)


def test_an_order_that_waited_waits_no_longer():
    account = after(noted(WaitingNote("o", DUE, "{}", "h")), noted(OrderNote("o", (("1", 900),))))
    assert account == Account(unpacked=kept("o", Order("stem", AT, [Line("1", 900)])), tier_spend=900)


def test_an_order_can_spend_a_hold_without_redeeming_points():
    released = PointReleased(hold_id="h", points=60, reason="over_order", grants=(Taken("g", 60),))
    account = after(*OPEN, released, noted(HoldNote("h", "o", 0)))
    assert account.holds["h"].state == "spent"
    assert account.lots == [LOT]


@pytest.mark.parametrize(
    ("days", "streaks"),
    [
        ([5], [(5, 1)]),
        ([5, 6, 7], [(5, 3)]),
        ([7, 6, 5], [(5, 3)]),
        ([5, 7], [(5, 1), (7, 1)]),
        ([7, 5], [(5, 1), (7, 1)]),
        ([5, 7, 6], [(5, 3)]),
        ([5, 5], [(5, 1)]),
        ([5, 6, 5], [(5, 2)]),
        ([1, 9, 5, 6, 8, 7], [(1, 1), (5, 5)]),
    ],
)
def test_days_join_into_streaks_in_any_order(days, streaks):
    assert after(*[noted(CheckInNote(day)) for day in days]).streaks == streaks


def test_what_is_forgotten():
    before = 700 * KEY_BUCKET_MS
    account = Account(
        first_order="old",
        debt=5,
        unpacked_lots=[Lot("g", 1, 0, EXPIRES_MS)],
        holds={
            "old": Hold(1, before - 1, "spent", []),
            "open": Hold(1, before - 1, "open", [("g", 1)]),
            "new": Hold(1, before, "spent", []),
        },
        unpacked=kept("old", Order("a", before - 1, [Line("1", 1)]))
        | kept("new", Order("b", before, [Line("1", 1)])),
        keys={699: b"keykey", 700: b"keykey"},
        causes={699: b"keykeysec", 700: b"keykeysec"},
        days=Days({19599: {"share": 1}, 19600: {"share": 1}}, [(19590, 9), (19599, 1)]),
        surveys=["nps"],
        warned={before - 1: ["P7D"], before: ["P7D"]},
    )
    after(noted(ForgottenNote(before, 19600)), account=account)
    assert account == Account(
        first_order="old",
        debt=5,
        unpacked_lots=[Lot("g", 1, 0, EXPIRES_MS)],
        holds={"open": Hold(1, before - 1, "open", [("g", 1)]), "new": Hold(1, before, "spent", [])},
        unpacked=kept("new", Order("b", before, [Line("1", 1)])),
        keys={700: b"keykey"},
        causes={700: b"keykeysec"},
        days=Days({19600: {"share": 1}}, [(19599, 1)]),
        surveys=["nps"],
        warned={before: ["P7D"]},
    )


# -- the cause ------------------------------------------------------------------------------------------


def event(number: int, source: str = SOURCE, data: PointEventData | None = None) -> PointEvent:
    stamped = msgspec.structs.replace(
        data or noted(KeyNote()), cause=Cause(source, "e-1"), balance=Balance(0, 0, 0, 0)
    )
    return PointEvent(
        id=f"stem.{number}",
        type="account-noted",
        subject="c-1",
        time=moment("2026-01-15 10:00"),
        data=stamped,
    )


def test_the_first_event_of_a_cause_makes_the_account_remember_it():
    account = Account()
    fold(account, event(0))
    key = identity.key_of(identity.digest("c-1", SOURCE, "e-1"))
    seconds = (AT % KEY_BUCKET_MS // 1000).to_bytes(3, "big")
    assert account.causes == {AT // KEY_BUCKET_MS: key + seconds}
    assert account.prefix == "stem"
    assert identity.remembers_cause(account.causes, key)


@pytest.mark.parametrize("number", [1, 10, 100])
def test_later_events_do_not(number):
    account = Account()
    fold(account, event(number))
    assert account == Account()


def test_what_fell_due_by_itself_is_not_remembered():
    account = Account()
    fold(account, event(0, source="loyalty-stream"))
    assert account == Account()


def test_an_event_without_a_cause_is_refused():
    with pytest.raises(TypeError, match=r"stem\.0 of c-1 has no cause"):
        fold(
            Account(),
            PointEvent(
                id="stem.0",
                type="account-noted",
                subject="c-1",
                time=moment("2026-01-15"),
                data=noted(KeyNote()),
            ),
        )


def test_an_event_of_another_history_is_refused():
    with pytest.raises(LookupError, match="no lot of grant g is left"):
        after(PointExpired(grant_id="g", points=1, expires_at=EXPIRES))
