"""Any history, as Hypothesis draws it: late, repeated and contradicting facts with ids from small pools."""

from any_rules import DAY_MS, MINUTE_MS
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty_stream.domain import calendar, decide
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
from loyalty_stream.domain.rules import Rules

START_MS = 1_761_868_800_000  # 2025-10-31T00:00:00Z, the day before clocks change in North America
SUBJECT = "c-1"

FEW = st.integers(0, 5).map(lambda number: f"x{number}")
"""Ids from a small pool, so that facts meet: repeated orders, holds named twice, released before they are held."""
HOLD_IDS = st.integers(0, 5).map(lambda number: f"h{number}")

ORDERS = st.builds(
    lambda order_id, amounts, discount, hold_id: OrderPaidData(
        order_id=order_id,
        currency="CNY",
        lines=tuple(
            OrderLine(line_id=f"l{n}", sku="tea", quantity=1, amount=amount)
            for n, amount in enumerate(amounts)
        ),
        discount_amount=discount,
        hold_id=hold_id,
    ),
    st.integers(0, 40).map(lambda number: f"o{number}"),
    st.lists(st.sampled_from([60000, 60000, 40, 5000, 950, 0]), min_size=1, max_size=3),
    st.sampled_from([0, 0, 0, 500, 60000]),
    st.none() | HOLD_IDS,
)
HELD = st.builds(
    HoldPointsData,
    hold_id=HOLD_IDS,
    points=st.sampled_from([20, 50, 100, 300, 10, 1]),
    order_amount=st.sampled_from([None, None, None, 0, 100, 10000]),
)
REFS = st.builds(HoldRef, hold_id=HOLD_IDS)
WHAT = st.one_of(
    st.tuples(st.just(OrderPaid), ORDERS),
    st.tuples(st.just(HoldPoints), HELD),
    st.tuples(st.just(OrderPaid), ORDERS),
    st.tuples(st.just(HoldPoints), HELD),
    st.tuples(st.just(ConfirmHold), REFS),
    st.tuples(st.just(ReleaseHold), REFS),
    st.tuples(st.just(CheckedIn), st.just(CheckedInData())),
    st.tuples(
        st.just(ReviewPublished),
        st.builds(
            ReviewPublishedData,
            review_id=FEW,
            sku=st.sampled_from(["tea", "cup"]),
            rating=st.just(5),
            order_id=st.none() | FEW,
            has_photo=st.booleans(),
        ),
    ),
    st.tuples(st.just(ReviewRemoved), st.builds(ReviewRef, review_id=FEW)),
    st.tuples(
        st.just(ShareCompleted), st.builds(ShareCompletedData, share_id=FEW, channel=st.just("wechat"))
    ),
    st.tuples(
        st.just(GamePlayed),
        st.builds(
            GamePlayedData, game_id=st.sampled_from(["spin", "gone"]), play_id=FEW, score=st.integers(0, 200)
        ),
    ),
    st.tuples(
        st.just(SurveySubmitted),
        st.builds(SurveySubmittedData, survey_id=st.just("nps-2026"), response_id=FEW),
    ),
    st.tuples(
        st.just(ActivityAttended),
        st.builds(ActivityAttendedData, activity_id=FEW, attendance_id=FEW, mode=st.just("online")),
    ),
    st.tuples(
        st.just(CustomerRegistered),
        st.builds(
            CustomerRegisteredData,
            segments=st.sampled_from([(), ("vip",)]),
            referred_by=st.sampled_from([None, SUBJECT, "c-2"]),
        ),
    ),
    st.tuples(
        st.just(AdjustPoints),
        st.builds(
            AdjustPointsData,
            adjustment_id=FEW,
            points=st.sampled_from([40, 500, -10, -40, -500]),
            reason=st.just("goodwill"),
            operator=st.just("ann"),
        ),
    ),
    st.tuples(
        st.just(GrantPoints),
        st.builds(GrantPointsData, grant_id=FEW, points=st.sampled_from([5, 100]), reason=st.just("contest")),
    ),
    st.tuples(
        st.just(CustomerUpdated), st.builds(CustomerUpdatedData, segments=st.sampled_from([(), ("vip",)]))
    ),
)
AHEAD_MS = st.sampled_from(
    [
        0,
        0,
        1,
        1,
        MINUTE_MS,
        MINUTE_MS,
        10 * MINUTE_MS,
        10 * MINUTE_MS,
        31 * MINUTE_MS,
        DAY_MS,
        3 * DAY_MS,
        30 * DAY_MS,
    ]
)
LATE_MS = st.sampled_from([0, 0, 0, 0, 5 * MINUTE_MS, 2 * DAY_MS, 35 * DAY_MS])
STEP = st.tuples(WHAT, AHEAD_MS, LATE_MS, st.integers(0, 99))


@st.composite
def checkouts(draw):
    """Points, and what can become of a hold, in any order: orders that wait, shortfalls, orders that are too small."""
    hold_id = draw(HOLD_IDS)
    whats = [
        (OrderPaid, replace(draw(ORDERS), hold_id=draw(st.sampled_from([None, hold_id])))),
        (HoldPoints, replace(draw(HELD), hold_id=hold_id)),
        draw(
            st.sampled_from(
                [(ConfirmHold, HoldRef(hold_id=hold_id)), (ReleaseHold, HoldRef(hold_id=hold_id))]
            )
        ),
        (OrderPaid, replace(draw(ORDERS), hold_id=hold_id)),
        (HoldPoints, replace(draw(HELD), hold_id=draw(HOLD_IDS), order_amount=None)),
    ]
    chosen = draw(st.permutations(whats))[: draw(st.integers(2, 5))]
    return [(what, draw(AHEAD_MS), draw(LATE_MS), draw(st.integers(0, 99))) for what in chosen]


@st.composite
def order_lives(draw):
    """An order, perhaps paid with points, and what comes after it, in any order of arrival."""
    order = draw(ORDERS)
    ref = OrderRef(order_id=order.order_id)
    refunds = [
        OrderRefundedData(
            order_id=order.order_id,
            refund_id=f"r{number}",
            amount=draw(st.sampled_from([1, 40, 500, 950, 5000, 30000, 60000, 60040, 0])),
            lines=None,
        )
        for number in range(draw(st.integers(0, 2)))
    ]
    whats = [
        (OrderPaid, order),
        *[(OrderRefunded, draw(st.sampled_from([part, by_line(part)]))) for part in refunds],
        draw(st.sampled_from([(OrderCancelled, ref), (OrderCompleted, ref), (OrderRefunded, whole(order))])),
        (OrderCompleted, ref),
        (OrderPaid, draw(ORDERS)),
    ]
    if order.hold_id is not None:
        whats.append((HoldPoints, HoldPointsData(hold_id=order.hold_id, points=20, order_id=order.order_id)))
    chosen = draw(st.permutations(whats))
    return [(what, draw(AHEAD_MS), draw(LATE_MS), draw(st.integers(0, 99))) for what in chosen]


def by_line(part: OrderRefundedData) -> OrderRefundedData:
    return replace(part, lines=(RefundLine(line_id="l0", amount=part.amount),))


def whole(order: OrderPaidData) -> OrderRefundedData:
    """A refund of all of it, if it was paid without points."""
    goods = sum(line.amount for line in order.lines)
    amount = max(goods - order.discount_amount, 0)
    return OrderRefundedData(order_id=order.order_id, refund_id="whole", amount=amount)


PART = st.one_of(checkouts(), order_lives(), STEP.map(lambda step: [step]))
STEPS = st.lists(PART, min_size=3, max_size=12).map(lambda parts: [step for part in parts for step in part])
"""What happens, how far the clock moves on, how late the fact is by then, and its event's id."""


def fact_of(kind, data, at_ms: int, number: int) -> Incoming:
    return kind(
        specversion="1.0",
        id=f"e{number}",
        source="/tests",
        subject=SUBJECT,
        time=calendar.to_datetime(at_ms),
        data=data,
    )


def history(steps, rules: Rules) -> list[tuple[int, Incoming]]:
    """The clock and the fact of each step; none too old, or with an id from before the retention."""
    clock = START_MS
    facts = []
    first_seen: dict[str, int] = {}
    for (kind, data), ahead, late, number in steps:
        clock += ahead
        fact = fact_of(kind, data, clock - late, number)
        ids = [fact.id, data.hold_id] if isinstance(fact, HoldPoints) else [fact.id]
        oldest = min(first_seen.setdefault(name, clock - late) for name in ids)
        if not decide.too_old(min(oldest, clock - late), clock, rules):
            facts.append((clock, fact))
    return facts
