"""What the domain's tests start from: DOMAIN.md's programme, facts in one line, and a customer with a clock.

A `Customer` checks the laws after every step, so every test that drives one tests them too.
"""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from loyalty_stream.domain import calendar, decide, evolve, expiry
from loyalty_stream.domain.account import NEVER, Account, imbalance
from loyalty_stream.domain.events import Balance, PointEvent, PointEventData
from loyalty_stream.domain.facts import (
    ActivityAttended,
    ActivityAttendedData,
    AdjustPoints,
    AdjustPointsData,
    CheckedIn,
    CheckedInData,
    ConfirmHold,
    CustomerRegistered,
    CustomerRegisteredData,
    CustomerUpdated,
    CustomerUpdatedData,
    EraseCustomer,
    EraseCustomerData,
    GamePlayed,
    GamePlayedData,
    GrantPoints,
    GrantPointsData,
    HoldPoints,
    HoldPointsData,
    HoldRef,
    Incoming,
    OrderCancelled,
    OrderCompleted,
    OrderLine,
    OrderPaid,
    OrderPaidData,
    OrderRef,
    OrderRefunded,
    OrderRefundedData,
    RefundLine,
    ReleaseHold,
    ReviewPublished,
    ReviewPublishedData,
    ReviewRef,
    ReviewRemoved,
    ShareCompleted,
    ShareCompletedData,
    SurveySubmitted,
    SurveySubmittedData,
)
from loyalty_stream.domain.rules import (
    Band,
    CheckInRule,
    Expiry,
    Game,
    Period,
    PurchaseRule,
    Redemption,
    ReviewRule,
    Rules,
    ShareRule,
    StreakBonus,
    Threshold,
)
from loyalty_stream.wire import account_codec

SHANGHAI = ZoneInfo("Asia/Shanghai")
SOURCE = "/tests"
P12M = Period("P12M", months=12)
P30D = Period("P30D", days=30)
P7D = Period("P7D", days=7)

PURCHASE = PurchaseRule(
    id="base",
    points=Fraction(1),
    per_amount=100,
    thresholds=(Threshold(50000, 50), Threshold(100000, 150)),
)
EXPIRY = Expiry("rolling", P12M, "day", (P30D, P7D))
REDEMPTION = Redemption(
    points=100,
    amount=100,
    minimum_points=100,
    step=100,
    maximum_share=Fraction(1),
    hold_timeout_ms=30 * 60_000,
)
RULES = Rules(
    programme_id="mall",
    version=1,
    currency="CNY",
    zone=SHANGHAI,
    retention_ms=800 * calendar.DAY_MS,
    purchase=(PURCHASE,),
    registration_points=100,
    first_purchase_points=50,
    review=ReviewRule(points=10, photo_bonus=5, daily_limit=5),
    share=ShareRule(points=5, daily_limit=3),
    check_in=CheckInRule(points=2, streaks=(StreakBonus(7, 20), StreakBonus(30, 100))),
    activity_points=20,
    daily_points_limit=0,
    games={"spin": Game("spin", (Band(0, 1), Band(100, 10)), daily_limit=3)},
    surveys={"nps-2026": 30},
    expiry=EXPIRY,
    redemption=REDEMPTION,
)
"""The programme file of DOMAIN.md."""

PLAIN = msgspec.structs.replace(RULES, first_purchase_points=0, registration_points=0)
"""Without bonuses on the first order, so that numbers in tests are those of one rule."""


def moment(text: str) -> datetime:
    """`2026-01-15 10:00`, on the clock of Shanghai unless it names an offset; as a codec reads it."""
    read = datetime.fromisoformat(text)
    local = read if read.tzinfo else read.replace(tzinfo=SHANGHAI)
    return msgspec.json.decode(msgspec.json.encode(local), type=datetime)


def ms(text: str) -> int:
    return calendar.to_ms(moment(text))


# -- facts ----------------------------------------------------------------------------------------------


def order_paid(
    fact_id: str,
    at: str,
    amount: int | Sequence[tuple[str, int]] = 10000,
    *,
    order_id: str = "",
    discount: int = 0,
    hold_id: str | None = None,
    categories: dict[str, str] | None = None,
    subject: str = "c-1",
) -> OrderPaid:
    """An order of one line, or of the lines given as SKU and amount; its id is the fact's unless given."""
    items = [("tea-01", amount)] if isinstance(amount, int) else amount
    lines = tuple(
        OrderLine(
            line_id=f"l{number}",
            sku=sku,
            quantity=1,
            amount=line_amount,
            category=(categories or {}).get(sku),
        )
        for number, (sku, line_amount) in enumerate(items, 1)
    )
    data = OrderPaidData(
        order_id=order_id or fact_id, currency="CNY", lines=lines, discount_amount=discount, hold_id=hold_id
    )
    return OrderPaid(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def refund(
    fact_id: str,
    at: str,
    order_id: str,
    amount: int | None = None,
    *,
    refund_id: str = "",
    lines: dict[str, int] | None = None,
    subject: str = "c-1",
) -> OrderRefunded:
    """A refund of an amount, or of lines given as their ids and amounts; its id is the fact's unless given."""
    data = OrderRefundedData(
        order_id=order_id,
        refund_id=refund_id or fact_id,
        amount=sum((lines or {}).values()) if amount is None else amount,
        lines=None if lines is None else tuple(RefundLine(line_id=k, amount=v) for k, v in lines.items()),
    )
    return OrderRefunded(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def cancellation(fact_id: str, at: str, order_id: str, subject: str = "c-1") -> OrderCancelled:
    return OrderCancelled(
        specversion="1.0",
        id=fact_id,
        source=SOURCE,
        subject=subject,
        time=moment(at),
        data=OrderRef(order_id=order_id),
    )


def completion(fact_id: str, at: str, order_id: str, subject: str = "c-1") -> OrderCompleted:
    return OrderCompleted(
        specversion="1.0",
        id=fact_id,
        source=SOURCE,
        subject=subject,
        time=moment(at),
        data=OrderRef(order_id=order_id),
    )


def hold_points(
    fact_id: str,
    at: str,
    points: int,
    *,
    hold_id: str = "",
    order_amount: int | None = None,
    order_id: str | None = None,
    subject: str = "c-1",
) -> HoldPoints:
    data = HoldPointsData(
        hold_id=hold_id or fact_id, points=points, order_amount=order_amount, order_id=order_id
    )
    return HoldPoints(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def confirm_hold(fact_id: str, at: str, hold_id: str, subject: str = "c-1") -> ConfirmHold:
    data = HoldRef(hold_id=hold_id)
    return ConfirmHold(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def release_hold(fact_id: str, at: str, hold_id: str, subject: str = "c-1") -> ReleaseHold:
    data = HoldRef(hold_id=hold_id)
    return ReleaseHold(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def erase_customer(fact_id: str, at: str, *, request_id: str = "", subject: str = "c-1") -> EraseCustomer:
    data = EraseCustomerData(request_id=request_id or fact_id)
    return EraseCustomer(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def adjust_points(
    fact_id: str, at: str, points: int, *, adjustment_id: str = "", subject: str = "c-1"
) -> AdjustPoints:
    data = AdjustPointsData(
        adjustment_id=adjustment_id or fact_id, points=points, reason="goodwill", operator="ann"
    )
    return AdjustPoints(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def grant_points(
    fact_id: str, at: str, points: int, *, grant_id: str = "", source: str = SOURCE, subject: str = "c-1"
) -> GrantPoints:
    data = GrantPointsData(grant_id=grant_id or fact_id, points=points, reason="contest")
    return GrantPoints(
        specversion="1.0", id=fact_id, source=source, subject=subject, time=moment(at), data=data
    )


def registered(
    fact_id: str,
    at: str,
    *,
    segments: tuple[str, ...] = (),
    referred_by: str | None = None,
    subject: str = "c-1",
) -> CustomerRegistered:
    data = CustomerRegisteredData(segments=segments, referred_by=referred_by)
    return CustomerRegistered(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def updated(fact_id: str, at: str, segments: tuple[str, ...], subject: str = "c-1") -> CustomerUpdated:
    data = CustomerUpdatedData(segments=segments)
    return CustomerUpdated(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def review(
    fact_id: str,
    at: str,
    *,
    review_id: str = "",
    sku: str = "tea-01",
    order_id: str | None = None,
    has_photo: bool = False,
    subject: str = "c-1",
) -> ReviewPublished:
    data = ReviewPublishedData(
        review_id=review_id or fact_id, sku=sku, rating=5, order_id=order_id, has_photo=has_photo
    )
    return ReviewPublished(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def review_removed(fact_id: str, at: str, review_id: str, subject: str = "c-1") -> ReviewRemoved:
    return ReviewRemoved(
        specversion="1.0",
        id=fact_id,
        source=SOURCE,
        subject=subject,
        time=moment(at),
        data=ReviewRef(review_id=review_id),
    )


def share(fact_id: str, at: str, *, share_id: str = "", subject: str = "c-1") -> ShareCompleted:
    data = ShareCompletedData(share_id=share_id or fact_id, channel="wechat")
    return ShareCompleted(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def check_in(fact_id: str, at: str, subject: str = "c-1") -> CheckedIn:
    return CheckedIn(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=CheckedInData()
    )


def game(
    fact_id: str, at: str, score: int, *, game_id: str = "spin", play_id: str = "", subject: str = "c-1"
) -> GamePlayed:
    data = GamePlayedData(game_id=game_id, play_id=play_id or fact_id, score=score)
    return GamePlayed(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def survey(
    fact_id: str,
    at: str,
    *,
    survey_id: str = "nps-2026",
    satisfaction: int | None = None,
    subject: str = "c-1",
) -> SurveySubmitted:
    data = SurveySubmittedData(survey_id=survey_id, response_id=fact_id, satisfaction=satisfaction)
    return SurveySubmitted(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def attended(
    fact_id: str,
    at: str,
    *,
    activity_id: str = "fair",
    attendance_id: str = "",
    mode: Literal["online", "offline"] = "offline",
    subject: str = "c-1",
) -> ActivityAttended:
    data = ActivityAttendedData(activity_id=activity_id, attendance_id=attendance_id or fact_id, mode=mode)
    return ActivityAttended(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


# -- a customer with a clock ----------------------------------------------------------------------------


class Customer:
    """One account under a clock that facts and `clock` move forward, never back; the laws hold at every step.

    After every step the account is stored and read again.
    """

    def __init__(self, rules: Rules = RULES, subject: str = "c-1") -> None:
        self.rules = rules
        self.subject = subject
        self.account = Account()
        self.folded = Account()
        self.now = 0
        self.events: list[PointEvent] = []

    def when(self, *facts: Incoming) -> list[PointEvent]:
        """What the last of the facts made, after the clock has moved to its time if that is later."""
        made: list[PointEvent] = []
        for fact in facts:
            self.now = max(self.now, calendar.to_ms(fact.time))
            made = self._keep(decide.apply(self.account, fact, self.rules, self.now))
        return made

    def clock(self, text: str) -> list[PointEvent]:
        """What fell due up to this time."""
        self.now = max(self.now, ms(text))
        made = self._keep(expiry.settle(self.account, self.subject, self.rules, self.now))
        due = expiry.next_due(self.account, self.rules)
        assert due is None or due > self.now
        return made

    @property
    def balance(self) -> tuple[int, int, int]:
        """Available, held, debt."""
        return self.account.available, self.account.held, self.account.debt

    def _keep(self, made: list[PointEvent]) -> list[PointEvent]:
        for event in made:
            evolve.fold(self.folded, event)
            check(self.folded, event)
        assert self.folded == self.account
        self.account = account_codec.decode(account_codec.encode(self.account))
        assert self.folded == self.account
        if self.account.debt:
            left = [lot for lot in self.account.lots if lot.points or lot.pending]
            assert left == [], "whoever owes has nothing free or pending, or that would have repaid it"
        self.events += made
        return made


def check(account: Account, event: PointEvent) -> None:
    """The laws of one account right after an event (ARCHITECTURE, Guarantees 2)."""
    assert imbalance(account) == 0, event
    balance = Balance(account.available, account.pending, account.held, account.debt)
    assert event.data.balance == balance, event
    assert account.pending == sum(lot.pending for lot in account.lots)
    assert account.debt >= 0
    assert account.available == sum(lot.points for lot in account.lots)
    assert account.held == sum(lot.held for lot in account.lots)
    order = [(lot.expires_at, lot.earned_at, lot.grant_id) for lot in account.lots]
    assert order == sorted(set(order))
    held: dict[str, int] = {}
    for hold in account.holds.values():
        assert hold.state == "open" or not hold.taken
        for grant_id, points in hold.taken:
            assert points > 0
            held[grant_id] = held.get(grant_id, 0) + points
    assert held == {lot.grant_id: lot.held for lot in account.lots if lot.held}
    for lot in account.lots:
        assert lot.points >= 0
        assert lot.held >= 0
        assert lot.pending >= 0
        assert lot.points + lot.held + lot.pending > 0
        assert not (lot.pending and lot.points + lot.held)
        assert lot.expires_at <= NEVER


def data(events: Sequence[PointEvent]) -> list[PointEventData]:
    return [event.data for event in events]


def brief(events: Sequence[PointEvent]) -> list[tuple[str, int]]:
    """Each event as its type and its points, 0 where no points are named: `("point-granted", 120)`."""
    return [(event.type, getattr(event.data, "points", 0)) for event in events]
