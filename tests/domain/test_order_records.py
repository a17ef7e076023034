"""Orders are read back from their records as they were, whatever can be told in few bytes of them."""

from binascii import a2b_base64
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_stream.domain import grant_records, identity, order_records, orders
from loyalty_stream.domain.account import KEY_BUCKET_MS, Account, Counted, Earned, Line, Order, Spent
from loyalty_stream.domain.fold_notes import remember_cause

PREFIX = "cust"
BUCKET = 51
PAID_AT = BUCKET * KEY_BUCKET_MS + 3_600_000
STEMS = [PREFIX + text for text in ("keykeyke", "laterkey", "lastkey0")]
TIMES = [PAID_AT, PAID_AT + 60_000, PAID_AT + KEY_BUCKET_MS + 1_250]
"""When the causes of these stems happened: the first paid the order, the last one is of another bucket."""
KINDS = ("purchase", "threshold", "first_purchase", "campaign:double", "campaign:collect")
SMALL = st.integers(0, 300)
SCOPES = st.sampled_from([(), (0,), (1,), (0, 1)])
AMOUNTS = SMALL | st.integers(0, 1 << 50)


def account() -> Account:
    made = Account(prefix=PREFIX)
    for stem, at in zip(STEMS, TIMES, strict=True):
        remember_cause(made, identity.key_of(_digest(stem)), stem, at)
    made.filed.clear()
    return made


def _digest(stem: str) -> bytes:
    return a2b_base64(stem)


@st.composite
def grants(draw: st.DrawFn) -> Earned:
    place = draw(st.integers(0, 2) | st.just(0))
    exact = draw(st.none() | st.tuples(st.integers(0, 10**6), st.integers(1, 2_000)))
    return Earned(
        f"{draw(st.sampled_from([STEMS[place], 'elsewhere']))}.{draw(SMALL)}",
        draw(st.sampled_from(KINDS)),
        draw(SMALL | st.integers(0, 10**7)),
        draw(st.sampled_from([0, 0, 0, 5, 1 << 16])),
        exact,
        draw(st.sampled_from(["floor", "half_up", "ceil"])) if exact else "",
        () if exact else draw(st.sampled_from([(), ((5_000, 20), (10_000, 50))])),
        draw(SCOPES),
        draw(st.sampled_from([0, 0, 0, 7])),
        draw(st.sampled_from([0, TIMES[place], TIMES[place] + 1])),
    )


COUNTED = st.builds(
    Counted,
    st.sampled_from(["double", "collect"]),
    SCOPES,
    accumulates=st.booleans(),
    minimum=st.sampled_from([0, 0, 10_000]),
    awards=st.sampled_from([0, 0, 1]),
    gift=st.sampled_from(["", "", "tea-cup"]),
    order_id=st.sampled_from(["", "", "o-1", "o-2", "ö" * 128]),
)
ORDERS = st.builds(
    Order,
    st.sampled_from([STEMS[0], STEMS[0], "elsewhere"]),
    st.sampled_from([PAID_AT, PAID_AT + 123, TIMES[2]]),
    st.lists(
        st.builds(Line, st.sampled_from(["1", "2", "a"]), AMOUNTS, st.sampled_from([0, 0, 5])),
        min_size=2,
        max_size=5,
    )
    | st.lists(st.tuples(AMOUNTS, st.just(0) | AMOUNTS), min_size=2, max_size=5).map(
        lambda amounts: [Line(str(place + 1), *of) for place, of in enumerate(amounts)]
    ),
    st.lists(grants(), max_size=4),
    st.sampled_from([[], [Spent(f"{STEMS[0]}.0", 100, PAID_AT, PAID_AT + 1)]]),
    campaigns=st.lists(COUNTED, max_size=3),
    completed=st.booleans(),
    first=st.booleans(),
)


@given(st.lists(ORDERS, min_size=1, max_size=4))
def test_any_order_is_read_back_the_same_and_its_earnings_without_unpacking_it(made):
    kept = account()
    for number, order in enumerate(made):
        orders.add(kept, f"o-{number}", deepcopy(order))
    unpacked = deepcopy(list(orders.each(kept)))
    earnings = sorted(order.earnings(("purchase", "threshold")) for order in unpacked)
    assert sorted(orders.earnings(kept, ("purchase", "threshold"))) == earnings
    orders.pack(kept)
    assert list(orders.each(kept)) == unpacked
    assert sorted(orders.earnings(kept, ("purchase", "threshold"))) == earnings
    for order in list(orders.each(kept))[::2]:  # some changed since they were packed
        orders.save(kept, order)
    assert sorted(orders.earnings(kept, ("purchase", "threshold"))) == earnings
    awarded = [order.key for order in unpacked if any(each.awards for each in order.campaigns)]
    assert set(awarded) <= {key for key, _ in orders.latest_awarded(kept)}
    for key, campaigns in orders.latest_awarded(kept):
        assert campaigns == orders.by_key(kept, key).campaigns


def of_campaigns(net: int, points: int) -> Order:
    """As a multiplier of one and a fifth makes it: the rate is told in lowest terms."""
    lowest = grant_records._lowest(net * 6, 500)
    return Order(
        STEMS[0],
        PAID_AT,
        [Line("1", net)],
        [
            Earned(f"{STEMS[0]}.0", "purchase", net // 100, exact=(net, 100), rounding="floor"),
            Earned(f"{STEMS[0]}.1", "campaign:double", points, exact=lowest, rounding="floor"),
            Earned(f"{STEMS[1]}.0", "campaign:collect", 50, earned_at=TIMES[1]),
        ],
        campaigns=[Counted("collect", accumulates=True)],
    )


@pytest.mark.parametrize("other", [-3, 0, 1])
def test_what_campaigns_give_takes_few_bytes_and_terms_that_all_orders_share(other):
    kept = account()
    for number in range(20):
        net = 1_000 + 37 * number
        orders.add(kept, f"o-{number}", of_campaigns(net, net * 6 // 500 + other))
    orders.pack(kept)
    record = len(kept.orders[BUCKET]) // 20
    assert record <= 1 + 6 + 1 + 2 + 3 + 1 + (2 + 2 + 7 + 6) + 2
    assert len(kept.terms) < 90  # five terms: of one order the rate is a whole number as it is
    assert not list(orders.latest_awarded(kept))


def test_a_refunded_order_takes_a_few_bytes_more_and_nothing_of_it_is_kept_in_messagepack():
    kept = account()
    orders.add(kept, "o", of_campaigns(12_345, 148))
    orders.pack(kept)
    plain = len(kept.orders[BUCKET])
    order = orders.find(kept, "o")
    order.lines[0].refunded, order.earned[0].revoked, order.earned[2].revoked = 5_000, 50, 50
    orders.save(kept, order)
    refunded = deepcopy(order)
    orders.pack(kept)
    assert len(kept.orders[BUCKET]) == plain + (2 + 2) + 2 * 2  # a count, what was refunded, what was revoked
    assert orders.find(kept, "o") == refunded
    assert not order_records._Record(kept.orders[BUCKET], 0).rest


@pytest.mark.parametrize(("refunded", "revoked"), [(-1, 0), (0, 1 << 16), (0, -1), (1 << 48, 0)])
def test_an_absurd_refund_is_kept_as_it_is(refunded, revoked):
    kept = account()
    order = of_campaigns(12_345, 148)
    order.lines[0].refunded, order.earned[1].revoked = refunded, revoked
    orders.add(kept, "o", deepcopy(order))
    orders.pack(kept)
    order.key = identity.order_key("o")
    assert orders.find(kept, "o") == order


def test_a_rate_that_is_as_fine_as_its_order_is_no_term():
    """Many such would fill an account."""
    kept = account()
    order = of_campaigns(1_000, 12)
    order.earned[1].exact = (99_991, 9_973)
    orders.add(kept, "o", deepcopy(order))
    orders.pack(kept)
    assert b"lowest" not in kept.terms
    assert orders.find(kept, "o").earned == order.earned
