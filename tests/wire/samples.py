"""One sound event of every type in and out, and accounts, for the tests of the wire layer."""

import json
from binascii import a2b_base64
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from loyalty_stream.domain import orders
from loyalty_stream.domain.account import (
    KEY_BUCKET_MS,
    NEVER,
    Account,
    Asked,
    Counted,
    Earned,
    Hold,
    Line,
    Lot,
    Order,
    Participation,
    Redeemed,
    Review,
    Spent,
    Waiting,
)
from loyalty_stream.domain.day_records import Days
from loyalty_stream.domain.events import (
    EVENT_TYPE,
    AccountNoted,
    Balance,
    Cause,
    CommandRejected,
    DrawEntered,
    DrawWon,
    PointActivated,
    PointEvent,
    PointEventData,
    PointExpired,
    PointExpiring,
    PointGranted,
    PointHeld,
    PointRedeemed,
    PointReleased,
    PointRestored,
    PointRevoked,
    Restored,
    Revoked,
    RewardIssued,
    Taken,
    TierChanged,
)
from loyalty_stream.domain.notes import ForRedemption, KeyNote, OrderNote, RefundNote

KEY = b"customer-1"
TIME = "2026-01-15T10:00:00.123+08:00"
AT_MS = 1_768_442_400_123

# Of every type: the smallest data, and all optional fields that it may have besides.
DATA: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "order-paid": (
        {
            "order_id": "o-1",
            "currency": "CNY",
            "lines": [{"line_id": "1", "sku": "tea-01", "quantity": 2, "amount": 12000}],
        },
        {
            "discount_amount": 1000,
            "shipping_amount": 500,
            "tax_amount": 0,
            "hold_id": "h-1",
            "channel": "app",
            "lines": [
                {
                    "line_id": "1",
                    "sku": "tea-01",
                    "quantity": 2,
                    "amount": 12000,
                    "category": "茶",
                    "merchant_id": "m/1",
                },
                {
                    "line_id": "2",
                    "sku": "tea-02",
                    "quantity": 1,
                    "amount": 8050,
                    "category": None,
                    "merchant_id": None,
                },
            ],
        },
    ),
    "order-completed": ({"order_id": "o-1"}, {}),
    "order-cancelled": ({"order_id": "o-1"}, {}),
    "order-refunded": (
        {"order_id": "o-1", "refund_id": "r-1", "amount": 100},
        {"lines": [{"line_id": "1", "amount": 100}]},
    ),
    "customer-registered": ({}, {"segments": ["vip"], "referred_by": "customer-2"}),
    "customer-updated": ({"segments": []}, {"segments": ["vip", "tea lovers"]}),
    "review-published": (
        {"review_id": "v-1", "sku": "tea-01", "rating": 5},
        {"order_id": "o-1", "has_photo": True},
    ),
    "review-removed": ({"review_id": "v-1"}, {}),
    "share-completed": (
        {"share_id": "s-1", "channel": "moments"},
        {"sku": "tea-01", "campaign_id": "spring"},
    ),
    "checked-in": ({}, {}),
    "game-played": ({"game_id": "spin", "play_id": "p-1", "score": 0}, {}),
    "survey-submitted": ({"survey_id": "nps", "response_id": "x-1"}, {"satisfaction": 4}),
    "activity-attended": (
        {"activity_id": "tasting", "attendance_id": "a-1", "mode": "offline"},
        {"mode": "online"},
    ),
    "hold-points": ({"hold_id": "h-1", "points": 100}, {"order_id": "o-1", "order_amount": 20000}),
    "confirm-hold": ({"hold_id": "h-1"}, {}),
    "release-hold": ({"hold_id": "h-1"}, {}),
    "redeem-reward": ({"redemption_id": "d-1", "reward_id": "tea-cup"}, {"quantity": 2}),
    "cancel-redemption": ({"redemption_id": "d-1"}, {}),
    "enter-draw": ({"entry_id": "e-1", "campaign_id": "spring"}, {}),
    "adjust-points": (
        {"adjustment_id": "j-1", "points": -5, "reason": "mistake", "operator": "ann"},
        {"points": 5},
    ),
    "grant-points": ({"grant_id": "g-1", "points": 5, "reason": "contest"}, {}),
    "erase-customer": ({"request_id": "q-1"}, {}),
    "campaign-published": (
        {"id": "customer-1", "award": {"points": 300}, "effective_at": "2026-02-01T00:00:00+08:00"},
        {"theme": "Spring", "include_skus": ["tea-01"], "per_customer_limit": 2},
    ),
    "campaign-withdrawn": ({"id": "customer-1", "effective_at": "2026-02-01T00:00:00+08:00"}, {}),
    "draw-seed-revealed": ({"campaign_id": "customer-1", "seed": "s"}, {}),
}


def event(type_name: str, data: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A sound event of the type; `data` replaces its data, attributes replace the envelope's."""
    return {
        "specversion": "1.0",
        "id": "evt-1",
        "source": "shop/orders",
        "type": type_name,
        "subject": KEY.decode(),
        "time": TIME,
        "data": DATA[type_name][0] if data is None else data,
    } | attributes


def to_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


INSTANT = datetime(2026, 1, 15, 2, 0, 0, 123000, tzinfo=UTC)
LATER = datetime(2027, 1, 16, tzinfo=UTC)
_STAMP: dict[str, Any] = {"cause": Cause("shop/orders", "evt-1"), "balance": Balance(190, 0, 0, 0)}
_TAKEN = (Taken("abc.0", 60), Taken("abc.1", 40))

POINT_EVENT_DATA: tuple[PointEventData, ...] = (
    PointGranted(
        grant_id="abc.0",
        points=190,
        rule="base",
        rule_version=1,
        reason="purchase",
        available_at=INSTANT,
        expires_at=None,
        **_STAMP,
    ),
    PointGranted(
        grant_id="abc.0",
        points=190,
        rule="base",
        rule_version=1,
        reason="purchase",
        available_at=INSTANT,
        expires_at=LATER,
        order_id="o-1",
        campaign_id="spring",
        base_amount=19050,
        exact=(19050, 100),
        rounding="floor",
        day=20468,
        note=OrderNote("o-1", (("1", 12000), ("2", 7050)), first=True),
        **_STAMP,
    ),
    PointHeld(hold_id="h-1", points=100, due_at=LATER, grants=_TAKEN, order_id="o-1", **_STAMP),
    PointReleased(hold_id="h-1", points=100, reason="timed_out", grants=_TAKEN, **_STAMP),
    PointRedeemed(points=100, grants=_TAKEN, amount=100, hold_id="h-1", order_id="o-1", **_STAMP),
    PointExpired(grant_id="abc.0", points=3, expires_at=LATER, **_STAMP),
    PointExpiring(points=3, expires_at=LATER, notice="P30D", **_STAMP),
    PointActivated(grant_id="abc.0", points=3, **_STAMP),
    PointRestored(points=3, grants=(Restored("abc.0", 3, INSTANT, LATER),), order_id="o-1", **_STAMP),
    PointRevoked(points=3, reason="debt_repaid", grants=(), shortfall=0, **_STAMP),
    PointRevoked(
        points=3,
        reason="refund",
        grants=_TAKEN,
        shortfall=1,
        owed=1,
        order_id="o-1",
        revokes=(Revoked("abc.0", 4, INSTANT),),
        note=RefundNote("o-1", ((0, 5),), "r-1"),
        **_STAMP,
    ),
    TierChanged(before=None, to="silver", valid_until=LATER, **_STAMP),
    RewardIssued(redemption_id="r-1", reward_id="tea-cup", quantity=1, reward="goods", **_STAMP),
    DrawEntered(entry_id="e-1", campaign_id="spring", **_STAMP),
    DrawWon(entry_id="e-1", campaign_id="spring", prize="tea-set", proof="00ff", **_STAMP),
    AccountNoted(kind="key", note=KeyNote(), **_STAMP),
    CommandRejected(
        command="hold-points", command_id="h-1", code="not_a_step", message="use steps of 100", **_STAMP
    ),
)


def point_event(data: PointEventData) -> PointEvent:
    return PointEvent(id="abc.0", type=EVENT_TYPE[type(data)], subject="customer-1", time=INSTANT, data=data)


STEM = "cust" + "keykeyke"
"""Of the cause at place 1 of its bucket: `prefix` and the base64 text of its key."""
BUCKET = AT_MS // KEY_BUCKET_MS
_SECOND = (AT_MS % KEY_BUCKET_MS // 1000).to_bytes(3, "big")


def account() -> Account:
    """An account with something in every field."""
    expires = 1_800_000_000_000
    stored = Account(
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
        first_order=STEM,
        unpacked_lots=[
            Lot(f"{STEM}.0", 150, AT_MS, expires, held=40),
            Lot(f"{STEM}.7", 0, AT_MS, expires, pending=1, available_at=NEVER),
            Lot("abcdefghijkl.0", 70_000, AT_MS - 1, NEVER),
        ],
        holds={
            "h-1": Hold(40, AT_MS + 2, "open", [(f"{STEM}.0", 40)], "o-2"),
            "h-2": Hold(
                60, AT_MS // 1000 * 1000, "confirmed", [], spent=[Spent(f"{STEM}.1", 60, AT_MS, expires, 5)]
            ),
        },
        waiting={"stem": Waiting("h-2", AT_MS + 3, "{}", "o-2")},
        keys={BUCKET: b"review" + b"share."},
        days=Days(
            {20468: {"review": 2, "points": 30}, 20470: {"game:spin": 1, "other": 2}},
            [(20460, 3), (20466, 1)],
        ),
        surveys=["nps-2026"],
        warned={AT_MS + 1: ["P30D", "P7D"]},
        segments=("vip", "tea"),
        referred_by="customer-2",
        prefix="cust",
        causes={BUCKET - 1: b"first.sec", BUCKET: b"other." + _SECOND + a2b_base64("keykeyke") + _SECOND},
        campaigns={"spring": Participation(20_000, 1)},
        erased_at=AT_MS,
        referral_told=True,
        tier="silver",
        tier_until=AT_MS + 4,
        tier_points=190,
        tier_spend=19_050,
        active_at=AT_MS,
        idle_until=AT_MS + 5,
        asked={"request": Asked("stock:tea-cup", ForRedemption("d-1", "tea-cup", 1, "goods"))},
        redemptions={"d-1": Redeemed("tea-cup", 1, AT_MS, "issued", request_id="request")},
        reward_counts={"tea-cup": 1},
        unpacked_reviews={
            b"review": Review(f"{STEM}.0", 10, AT_MS),
            b"absent": Review(f"{STEM}.1", 10, AT_MS),
        },
    )
    for order_id, order in ORDERS.items():
        orders.add(stored, order_id, deepcopy(order))
    orders.pack(stored)
    return stored


def account_of_campaigns() -> Account:
    """The same with an order that campaigns count, and gave points for when it was paid and later."""
    stored = account()
    second = (LATER_MS % KEY_BUCKET_MS // 1000).to_bytes(3, "big")
    stored.causes[BUCKET] += a2b_base64(LATER_STEM[4:]) + second
    orders.add(stored, "by campaigns", deepcopy(ORDER_OF_CAMPAIGNS))
    orders.pack(stored)
    return stored


def account_of_refunds() -> Account:
    """The same with that order refunded in part."""
    stored = account_of_campaigns()
    order = orders.find(stored, "by campaigns")
    order.lines = [Line("1", 12_345, 345), Line("2", 0), Line("3", 1 << 20, 1 << 20)]
    order.earned[0].revoked, order.earned[2].revoked = 7, 50
    orders.save(stored, order)
    orders.pack(stored)
    return stored


LATER_MS = AT_MS + 10_000
LATER_STEM = "cust" + "laterkey"
ORDER_OF_CAMPAIGNS = Order(
    STEM,
    AT_MS,
    [Line("1", 12_345)],
    [
        Earned(f"{STEM}.0", "purchase", 148, exact=(74_070, 500), rounding="floor"),
        Earned(f"{STEM}.2", "campaign:double", 149, exact=(7_407, 50), rounding="floor"),
        Earned(f"{LATER_STEM}.1", "campaign:collect", 50, earned_at=LATER_MS),
    ],
    campaigns=[
        Counted("collect", accumulates=True, minimum=10_000, awards=1, points=50, order_id="by campaigns"),
        Counted("double", (0,), accumulates=True),
    ],
)
"""What it was multiplied by is told in lowest terms, and rounds to one point less than was given."""
_SPENT = Spent(f"{STEM}.0", 100, AT_MS, NEVER, restored=7)
ORDERS = {
    "plain": Order(
        STEM,
        AT_MS,
        [Line("1", 12_000), Line("2", 7_050)],
        [
            Earned(f"{STEM}.0", "purchase", 190, exact=(19_050, 100), rounding="floor"),
            Earned(f"{STEM}.1", "threshold", 50, steps=((5_000, 20), (10_000, 50))),
            Earned(f"{STEM}.2", "first_purchase", 50),
            Earned(f"{STEM}.3", "campaign:spring", 71, exact=(7_050, 100), rounding="half_up", scope=(1,)),
        ],
        first=True,
    ),
    "refunded": Order(
        STEM,
        AT_MS,
        [Line("a", 1 << 40, 5)],
        [Earned(f"{STEM}.0", "purchase", 100, 1, (19_050, 100), "floor", gross=5)],
        [_SPENT],
        completed=True,
        cancelled=True,
        campaigns=[Counted("spring", (0,))],
    ),
    "of no cause": Order("", AT_MS + 1, [Line(str(number), number * 1_000_000) for number in range(1, 12)]),
}
"""By their ids: one that is all computed, one that must be kept as it is, one whose cause is not remembered."""
