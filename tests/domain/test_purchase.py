from fractions import Fraction
from math import floor

import pytest
from given import (
    PLAIN,
    PURCHASE,
    RULES,
    Customer,
    attended,
    brief,
    data,
    hold_points,
    moment,
    order_paid,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty_stream.domain.events import AccountNoted, PointGranted
from loyalty_stream.domain.facts import OrderLine
from loyalty_stream.domain.notes import KeyNote, OrderNote, WaitingNote
from loyalty_stream.domain.orders import count, find
from loyalty_stream.domain.purchase import (
    accepts,
    base_amount,
    in_scope,
    net_amounts,
    scope_of,
    threshold_steps,
)
from loyalty_stream.domain.rules import PurchaseRule, Threshold

T = "2026-03-01 10:00"
THRESHOLDS = (Threshold(50000, 50), Threshold(100000, 150))


def rule_of(**changes) -> PurchaseRule:
    """One point for every 1.00, without thresholds."""
    return replace(PURCHASE, thresholds=(), **changes)


def scoped_base(rule: PurchaseRule, lines: list[OrderLine], off: int) -> int:
    nets = net_amounts([line.amount for line in lines], off)
    return base_amount(rule, lines, nets, scope_of(rule, lines))


def threshold_bonus(rule: PurchaseRule, base: int) -> int:
    steps = threshold_steps(rule, base)
    return steps[-1][1] if steps else 0


def programme(*rules: PurchaseRule):
    return replace(PLAIN, purchase=rules)


def grants(events):
    return [(one.rule, one.points, one.reason) for one in data(events) if isinstance(one, PointGranted)]


def base_points(events):
    return sum(points for _, points, reason in grants(events) if reason == "purchase")


# -- DOMAIN.md's examples -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "discount", "then"),
    [
        ([("a", 12000), ("b", 8050)], 1000, [("base", 190, "purchase")]),
        ([("a", 60000)], 0, [("base", 600, "purchase"), ("base", 50, "threshold")]),
    ],
)
def test_the_examples_of_the_page(lines, discount, then):
    assert grants(Customer(PLAIN).when(order_paid("o-1", T, lines, discount=discount))) == then


def test_a_grant_records_what_its_refund_needs():
    customer = Customer()
    made = data(
        customer.when(order_paid("e-1", T, [("a", 62000), ("b", 8050)], discount=1000, order_id="o-1"))
    )
    base, threshold, first = made
    assert isinstance(base, PointGranted)
    assert (base.points, base.base_amount, base.exact, base.rounding) == (690, 69050, (69050, 100), "floor")
    assert isinstance(threshold, PointGranted)
    assert (threshold.points, threshold.base_amount, threshold.exact) == (50, 69050, None)
    assert isinstance(first, PointGranted)
    assert (first.points, first.rule, first.reason) == (50, "first_purchase", "first purchase")
    assert {one.order_id for one in (base, threshold, first)} == {"o-1"}
    assert [one.note for one in made] == [
        OrderNote("o-1", (("l1", 61115), ("l2", 7935)), first=True),
        None,
        None,
    ]


# -- the base -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "discount", "then"),
    [
        # Of 100.00 tea, 50.00 cups and 50.00 without a category.
        ({"include_categories": frozenset({"tea"})}, 0, 10000),
        ({"include_categories": frozenset({"tea", "cups"})}, 0, 15000),
        ({"exclude_categories": frozenset({"tea"})}, 0, 10000),
        ({"include_skus": frozenset({"tea-01"})}, 0, 10000),
        ({"exclude_skus": frozenset({"tea-01", "cup-01"})}, 0, 5000),
        ({"include_categories": frozenset({"tea", "cups"}), "exclude_skus": frozenset({"cup-01"})}, 0, 10000),
        ({"include_categories": frozenset({"tea"}), "include_skus": frozenset({"cup-01"})}, 0, None),
        ({"include_categories": frozenset({"other"})}, 0, None),
        # 30.00 off are 15.00, 7.50 and 7.50, whether those lines count or not.
        ({"include_categories": frozenset({"tea"})}, 3000, 8500),
        ({"exclude_categories": frozenset({"tea"})}, 3000, 8500),
        ({"include_skus": frozenset({"cup-01"})}, 3000, 4250),
        # 0.03 off are 0.01 1/2 and twice 0.00 3/4: the two larger remainders, of the later lines, round up.
        ({"include_skus": frozenset({"tea-01"})}, 3, 9999),
        ({"include_skus": frozenset({"cup-01"})}, 3, 4999),
        ({"include_categories": frozenset({"tea"}), "basis": "gross"}, 3000, 10000),
        ({"basis": "gross"}, 3000, 20000),
        ({"basis": "gross"}, 99999, 20000),
        ({}, 3000, 17000),
        ({}, 20000, None),
        ({}, 20001, None),
        ({}, 99999, None),
        ({"include_categories": frozenset({"tea"})}, 99999, None),
    ],
)
def test_the_base_is_the_share_of_the_lines_in_scope(changes, discount, then):
    lines = [("tea-01", 10000), ("cup-01", 5000), ("misc", 5000)]
    order = order_paid("o-1", T, lines, discount=discount, categories={"tea-01": "tea", "cup-01": "cups"})
    (event,) = data(Customer(programme(rule_of(**changes))).when(order))
    assert event.note is not None
    assert sum(net for _, net in event.note.lines) == max(20000 - discount, 0)
    assert event.note.first == (discount < 20000)
    assert (event.base_amount if isinstance(event, PointGranted) else None) == then


@pytest.mark.parametrize(
    ("rounding", "rate", "per_amount", "points", "exact"),
    [
        ("floor", Fraction(1), 100, 190, (19050, 100)),
        ("half_up", Fraction(1), 100, 191, (19050, 100)),
        ("ceil", Fraction(1), 100, 191, (19050, 100)),
        ("floor", Fraction(3, 2), 100, 285, (57150, 200)),
        ("half_up", Fraction(3, 2), 100, 286, (57150, 200)),
        ("floor", Fraction(5), 1, 95250, (95250, 1)),
    ],
)
def test_points_are_rounded_once_on_the_exact_fraction(rounding, rate, per_amount, points, exact):
    rule = rule_of(points=rate, per_amount=per_amount, rounding=rounding)
    (event,) = data(Customer(programme(rule)).when(order_paid("o-1", T, 19050)))
    assert isinstance(event, PointGranted)
    assert (event.points, event.exact, event.rounding) == (points, exact, rounding)


SKUS = ["tea-01", "tea-02", "cup-01"]
CATEGORIES = ["tea", "cups"]
SCOPES = st.fixed_dictionaries(
    {
        "include_categories": st.frozensets(st.sampled_from(CATEGORIES)),
        "exclude_categories": st.frozensets(st.sampled_from(CATEGORIES), max_size=1),
        "include_skus": st.frozensets(st.sampled_from(SKUS)),
        "exclude_skus": st.frozensets(st.sampled_from(SKUS), max_size=1),
    }
)


@st.composite
def some_lines(draw):
    amounts = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
    return tuple(
        OrderLine(
            line_id=f"l{number}",
            sku=draw(st.sampled_from(SKUS)),
            quantity=1,
            amount=amount,
            category=draw(st.sampled_from([*CATEGORIES, None])),
        )
        for number, amount in enumerate(amounts)
    )


@given(some_lines(), SCOPES, st.integers(0, 10**7))
def test_the_base_is_within_a_minor_unit_a_line_of_the_exact_share(lines, scope, off):
    rule = rule_of(**scope)
    goods = sum(line.amount for line in lines)
    kept = 1 - Fraction(min(off, goods), goods) if goods else Fraction(0)
    counted = [
        line
        for line in lines
        if (line.category in scope["include_categories"] or not scope["include_categories"])
        and (line.sku in scope["include_skus"] or not scope["include_skus"])
        and not ({line.category} & scope["exclude_categories"] or {line.sku} & scope["exclude_skus"])
    ]
    exact = sum(line.amount * kept for line in counted)
    base = scoped_base(rule, lines, off)
    assert abs(base - exact) < max(len(counted), 1)
    if len(counted) == len(lines):
        assert base == max(goods - off, 0)


@given(some_lines(), st.sampled_from(SKUS), st.integers(0, 10**7))
def test_what_is_in_scope_and_what_is_not_add_up_to_the_net_goods(lines, sku, off):
    of_it = scoped_base(rule_of(include_skus=frozenset({sku})), lines, off)
    of_the_rest = scoped_base(rule_of(exclude_skus=frozenset({sku})), lines, off)
    assert of_it + of_the_rest == max(sum(line.amount for line in lines) - off, 0)


@given(some_lines(), SCOPES, st.integers(0, 10**7), st.fractions(0, 10, max_denominator=100))
def test_points_are_those_of_exact_fractions(lines, scope, off, rate):
    rule = rule_of(points=rate, per_amount=100, **scope)
    order = order_paid("o-1", T, discount=off)
    order = replace(order, data=replace(order.data, lines=lines))
    made = Customer(programme(rule)).when(order)
    base = scoped_base(rule, lines, off)
    assert base_points(made) == floor(base * rate / 100)
    for one in data(made):
        if isinstance(one, PointGranted):
            assert one.exact is not None
            assert Fraction(*one.exact) == base * rate / 100


def test_a_line_without_a_category_is_in_no_category():
    line = OrderLine(line_id="l1", sku="tea-01", quantity=1, amount=1)
    assert not in_scope(rule_of(include_categories=frozenset({"tea"})), line)
    assert in_scope(rule_of(exclude_categories=frozenset({"tea"})), line)


# -- minimum, thresholds, several rules -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "highest", "all_"),
    [(0, 0, 0), (49999, 0, 0), (50000, 50, 50), (99999, 50, 50), (100000, 150, 200), (10**12, 150, 200)],
)
def test_thresholds(base, highest, all_):
    rule = replace(PURCHASE, thresholds=THRESHOLDS)
    assert threshold_bonus(rule, base) == highest
    assert threshold_bonus(replace(rule, threshold_mode="all"), base) == all_


def test_all_thresholds_are_one_grant():
    rule = replace(PURCHASE, threshold_mode="all")
    made = Customer(programme(rule)).when(order_paid("o-1", T, 100000))
    assert grants(made) == [("base", 1000, "purchase"), ("base", 200, "threshold")]


def test_a_threshold_is_measured_on_the_base_and_stands_without_base_points():
    rule = replace(PURCHASE, points=Fraction(0), include_skus=frozenset({"tea-01"}))
    customer = Customer(programme(rule))
    (bonus,) = data(customer.when(order_paid("o-1", T, [("tea-01", 60000), ("cup-01", 40000)])))
    assert (bonus.points, bonus.reason, bonus.note) == (
        50,
        "threshold",
        OrderNote("o-1", (("l1", 60000), ("l2", 40000)), first=True),
    )
    made = customer.when(order_paid("o-2", T, [("tea-01", 60000), ("cup-01", 40000)], discount=20000))
    assert brief(made) == [("account-noted", 0)]


@pytest.mark.parametrize(("amount", "points"), [(9999, 0), (10000, 100), (10001, 100)])
def test_a_minimum_is_on_the_base(amount, points):
    rule = rule_of(minimum_amount=10000, include_skus=frozenset({"tea-01"}))
    made = Customer(programme(rule)).when(order_paid("o-1", T, [("tea-01", amount), ("cup-01", 50000)]))
    assert base_points(made) == points


def test_below_its_minimum_a_rule_pays_no_threshold_either():
    rule = replace(PURCHASE, minimum_amount=60000)
    assert brief(Customer(programme(rule)).when(order_paid("o-1", T, 55000))) == [("account-noted", 0)]


def test_rules_add_up_each_rounded_by_itself():
    rules = (
        replace(PURCHASE, id="base"),
        rule_of(id="tea", points=Fraction(1, 2), include_skus=frozenset({"tea-01"})),
        rule_of(id="none", include_skus=frozenset({"other"})),
        rule_of(id="gross", basis="gross", rounding="ceil"),
    )
    made = Customer(programme(*rules)).when(
        order_paid("o-1", T, [("tea-01", 30050), ("cup-01", 30050)], discount=100)
    )
    assert grants(made) == [
        ("base", 600, "purchase"),
        ("base", 50, "threshold"),
        ("tea", 150, "purchase"),
        ("gross", 601, "purchase"),
    ]
    assert [one.note is not None for one in data(made)] == [True, False, False, False]


# -- orders: known, first, worth nothing, in another currency -------------------------------------------


def test_an_order_counts_once_whatever_the_events_id():
    customer = Customer(PLAIN)
    customer.when(order_paid("e-1", T, order_id="o-1"))
    (again,) = data(customer.when(order_paid("e-2", T, 99999, order_id="o-1")))
    assert isinstance(again, AccountNoted)
    assert (again.kind, again.note) == ("key", KeyNote())
    assert customer.when(order_paid("e-2", T, 99999, order_id="o-1")) == []
    assert customer.balance == (100, 0, 0)


def test_an_order_that_earns_nothing_is_remembered():
    customer = Customer(PLAIN)
    (noted,) = data(customer.when(order_paid("o-1", T, 99)))
    assert isinstance(noted, AccountNoted)
    assert (noted.kind, noted.note) == ("order", OrderNote("o-1", (("l1", 99),), first=True))
    assert find(customer.account, "o-1").net_amount == 99


@pytest.mark.parametrize(("amount", "discount"), [(0, 0), (100, 100), (100, 5000)])
def test_the_first_purchase_is_the_first_order_with_net_goods(amount, discount):
    customer = Customer()
    (noted,) = data(customer.when(order_paid("o-1", T, amount, discount=discount)))
    assert noted.note == OrderNote("o-1", (("l1", 0),), first=False)
    # A bonus can be all that an order gives, and then it carries the order's note.
    (bonus,) = data(customer.when(order_paid("o-2", T, 99)))
    assert (bonus.rule, bonus.points, bonus.note) == (
        "first_purchase",
        50,
        OrderNote("o-2", (("l1", 99),), first=True),
    )
    assert grants(customer.when(order_paid("o-3", T, 100))) == [("base", 1, "purchase")]
    assert customer.account.first_order == find(customer.account, "o-2").stem


def test_the_first_purchase_is_marked_even_while_it_is_worth_nothing():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", T, 100))
    customer.rules = RULES
    assert grants(customer.when(order_paid("o-2", T, 100))) == [("base", 1, "purchase")]
    assert customer.account.first_order == find(customer.account, "o-1").stem


def test_an_order_in_another_currency_is_not_accepted():
    order = order_paid("o-1", T)
    assert accepts(order.data, RULES)
    assert not accepts(replace(order.data, currency="USD"), RULES)


# -- points spent on the order --------------------------------------------------------------------------


def test_points_spent_on_the_order_lower_its_base():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", T, 40000))
    customer.when(hold_points("h-1", T, 300))
    # 300 points are worth 3.00; with 10.00 off, of 200.50: tea has (13.00 x 120 / 200.50 = 7.78) off.
    customer.rules = programme(rule_of(include_skus=frozenset({"tea-01"})))
    made = data(
        customer.when(
            order_paid("o-2", T, [("tea-01", 12000), ("cup-01", 8050)], discount=1000, hold_id="h-1")
        )
    )
    redeemed, granted = made
    assert (redeemed.points, redeemed.amount, redeemed.order_id) == (300, 300, "o-2")
    assert isinstance(granted, PointGranted)
    assert (granted.base_amount, granted.points) == (12000 - 778, 112)
    assert granted.note is None
    assert sum(net for _, net in redeemed.note.lines) == 20050 - 1000 - 300


def test_points_pay_at_most_the_goods_less_the_discount():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", T, 40000))
    customer.when(hold_points("h-1", T, 300))
    made = customer.when(order_paid("o-2", T, 1200, discount=1000, hold_id="h-1"))
    assert brief(made) == [("point-released", 100), ("point-redeemed", 200)]
    assert data(made)[0].note == OrderNote("o-2", (("l1", 0),))
    assert customer.balance == (200, 0, 0)


def test_an_order_waits_for_a_hold_that_has_not_been_seen():
    customer = Customer(PLAIN)
    customer.when(attended("a-1", T), order_paid("o-1", T, 40000))
    order = order_paid("e-2", "2026-03-01 10:10", 20000, order_id="o-2", hold_id="h-1")
    (noted,) = data(customer.when(order))
    assert isinstance(noted, AccountNoted)
    assert noted.kind == "waiting"
    assert isinstance(noted.note, WaitingNote)
    assert (noted.note.order_id, noted.note.hold_id) == ("o-2", "h-1")
    assert noted.note.due_at == moment("2026-03-01 10:40")
    # The same order under another id does not wait twice.
    (again,) = data(customer.when(order_paid("e-3", T, 20000, order_id="o-2", hold_id="h-1")))
    assert again.note == KeyNote()
    made = customer.when(hold_points("h-1", "2026-03-01 10:20", 100))
    assert brief(made) == [("point-held", 100), ("point-redeemed", 100), ("point-granted", 199)]
    assert data(made)[1].note == OrderNote("o-2", (("l1", 19900),))
    assert made[-1].time == moment("2026-03-01 10:10")
    assert customer.account.waiting == {}


def test_a_late_order_waits_from_its_own_time():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", "2026-03-01 12:00"))
    made = data(customer.when(order_paid("o-2", "2026-03-01 11:45", hold_id="h-1")))
    assert [getattr(one.note, "due_at", None) for one in made] == [moment("2026-03-01 12:15")]


def test_an_order_whose_hold_never_comes_is_applied_without_it():
    customer = Customer(PLAIN)
    customer.when(order_paid("o-1", T, 20000, hold_id="h-1"))
    assert customer.clock("2026-03-01 10:29:59") == []
    (granted,) = data(customer.clock("2026-03-01 10:30"))
    assert isinstance(granted, PointGranted)
    assert (granted.points, granted.note) == (200, OrderNote("o-1", (("l1", 20000),), first=True))


# -- several orders -------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)), max_size=12))
def test_orders_earn_what_each_is_worth_and_one_is_the_first(orders):
    customer = Customer()
    wanted = 0
    for number, (amount, discount) in enumerate(orders):
        customer.when(order_paid(f"o-{number}", T, amount, discount=discount))
        net = max(amount - discount, 0)
        wanted += net // 100 + (150 if net >= 100_000 else 50 if net >= 50_000 else 0)
    with_goods = [f"o-{number}" for number, (amount, discount) in enumerate(orders) if amount > discount]
    assert customer.account.granted == wanted + (50 if with_goods else 0)
    first = find(customer.account, with_goods[0]).stem if with_goods else ""
    assert customer.account.first_order == first
    assert all(find(customer.account, f"o-{number}") for number in range(len(orders)))
    assert count(customer.account) == len(orders)
