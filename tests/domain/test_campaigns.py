"""Campaigns in domain form: who matches, what counts together, what is given (DOMAIN.md, Campaigns)."""

from fractions import Fraction

import msgspec
import pytest

from loyalty_stream.domain.events import PointGranted, RewardIssued
from loyalty_stream.domain.notes import AwardNote, OrderNote
from loyalty_stream.domain.rules import Audience, Award, Level, PurchaseRule, Tiers, Withdrawal
from tests.domain.given import (
    PLAIN,
    PURCHASE,
    RULES,
    Customer,
    attended,
    check_in,
    game,
    ms,
    order_paid,
    registered,
    review,
    share,
    survey,
    updated,
)
from tests.domain.given_campaigns import campaign, with_campaigns
from tests.domain.given_rewards import MALL

IN = "2026-03-02 10:00"
DOUBLE = Award(multiplier=Fraction(2))
TEA = frozenset({"tea-01", "tea-02"})


def given(events):
    """What was granted: rule and points."""
    return [(event.data.rule, event.data.points) for event in events if isinstance(event.data, PointGranted)]


def notes(customer):
    return [event.data.note for event in customer.events if isinstance(event.data.note, AwardNote)]


# -- what matches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "granted"),
    [
        ("2026-02-28 23:59:59", []),
        ("2026-03-01 00:00", [("campaign:c", 300)]),
        ("2026-03-07 23:59:59", [("campaign:c", 300)]),
        ("2026-03-08 00:00", []),
    ],
)
def test_the_window_is_by_the_events_own_time_and_half_open(at, granted):
    customer = Customer(with_campaigns(campaign("c")))
    customer.clock("2026-04-01 00:00")  # a late event is judged by its own time
    assert given(customer.when(order_paid("o-1", at)))[1:] == granted


def test_a_withdrawn_campaign_no_longer_matches_from_its_effective_at_on():
    customer = Customer(with_campaigns(campaign("c"), Withdrawal("c", ms("2026-03-02 12:00"))))
    assert given(customer.when(order_paid("o-1", "2026-03-02 11:59:59")))[1:] == [("campaign:c", 300)]
    assert given(customer.when(order_paid("o-2", "2026-03-02 12:00")))[1:] == []


def test_the_version_at_work_is_pinned_on_the_grant():
    second = campaign("c", version=2, award=Award(points=500), effective="2026-03-02 12:00")
    customer = Customer(with_campaigns(campaign("c"), second))
    granted = [
        customer.when(order_paid(f"o-{number}", at))[-1].data
        for number, at in enumerate(["2026-03-02 11:59", "2026-03-02 12:00"])
    ]
    assert [(each.points, each.rule_version, each.campaign_id) for each in granted] == [
        (300, 1, "c"),
        (500, 2, "c"),
    ]


@pytest.mark.parametrize(
    ("lines", "granted"),
    [
        ([("tea-01", 20000)], True),
        ([("tea-01", 10000), ("tea-02", 10000)], True),
        ([("tea-01", 19999), ("milk", 50000)], False),
        ([("milk", 50000)], False),
    ],
)
def test_only_the_spend_on_included_goods_reaches_the_minimum(lines, granted):
    customer = Customer(with_campaigns(campaign("c", include_skus=TEA, minimum_amount=20000)))
    made = given(customer.when(order_paid("o-1", IN, lines)))
    assert (("campaign:c", 300) in made) is granted


def test_the_spend_is_net_of_discount_and_points():
    customer = Customer(with_campaigns(campaign("c", include_skus=TEA, minimum_amount=10000)))
    # 120.00 of goods, 20.00 off, spread over both lines: 50.00 of 60.00 is left of the tea.
    lines = [("tea-01", 6000), ("milk", 6000)]
    assert ("campaign:c", 300) not in given(customer.when(order_paid("o-1", IN, lines, discount=2000)))


AUDIENCES = [
    (Audience(segments=frozenset({"new", "vip"})), True),
    (Audience(segments=frozenset({"vip"})), False),
    (Audience(registered_after_ms=ms("2026-02-01 00:00")), True),
    (Audience(registered_after_ms=ms("2026-02-20 10:00")), False),
    (Audience(tiers=frozenset({"silver"})), True),
    (Audience(tiers=frozenset({"gold"})), False),
    (Audience(tiers=frozenset({"silver"}), segments=frozenset({"vip"})), False),
]


@pytest.mark.parametrize(("audience", "granted"), AUDIENCES)
def test_the_audience_is_asked_for_tier_segments_and_registration(audience, granted):
    tiers = Tiers(levels=(Level("silver", 100, Fraction(1)), Level("gold", 200, Fraction(1))))
    rules = msgspec.structs.replace(with_campaigns(campaign("c", audience=audience)), tiers=tiers)
    customer = Customer(rules)
    customer.when(
        registered("r-1", "2026-02-20 10:00", segments=("new",)),
        order_paid("o-1", "2026-02-21 10:00", 15000),  # silver
    )
    # It makes the customer gold, but the tier is that before the order.
    made = given(customer.when(order_paid("o-2", IN, 15000)))
    assert (("campaign:c", 300) in made) is granted


def test_who_never_registered_is_in_no_audience_of_those_who_registered_later():
    audience = Audience(registered_after_ms=ms("2000-01-01 00:00"))
    customer = Customer(with_campaigns(campaign("c", audience=audience)))
    assert given(customer.when(order_paid("o-1", IN))) == [("base", 100)]


def test_a_segment_counts_from_when_it_is_known():
    audience = Audience(segments=frozenset({"vip"}))
    customer = Customer(with_campaigns(campaign("c", audience=audience)))
    assert given(customer.when(order_paid("o-1", IN))) == [("base", 100)]
    customer.when(updated("u-1", IN, ("vip",)))
    assert given(customer.when(order_paid("o-2", IN)))[1:] == [("campaign:c", 300)]


def test_one_whose_customer_limit_is_used_up_does_not_match():
    rules = with_campaigns(
        campaign("a", per_customer_limit=2, stacking="exclusive"), campaign("b", award=Award(points=1))
    )
    customer = Customer(rules)
    made = [given(customer.when(order_paid(f"o-{number}", IN))) for number in range(3)]
    assert made == [[("campaign:a", 300)], [("campaign:a", 300)], [("base", 100), ("campaign:b", 1)]]


# -- what counts together -------------------------------------------------------------------------------


def stacking(*kinds):
    """Campaigns a, b, c, ... with 10, 20, 30, ... points."""
    return [
        campaign(name, award=Award(points=10 * number), stacking=kind)
        for number, (name, kind) in enumerate(zip("abcdef", kinds, strict=False), 1)
    ]


@pytest.mark.parametrize(
    ("kinds", "granted"),
    [
        (("stack", "stack"), [("base", 100), ("campaign:a", 10), ("campaign:b", 20)]),
        (("best", "best", "best"), [("base", 100), ("campaign:c", 30)]),
        (("best", "stack", "best"), [("base", 100), ("campaign:b", 20), ("campaign:c", 30)]),
        (("stack", "exclusive", "exclusive", "best"), [("campaign:b", 20)]),
    ],
)
def test_exclusive_alone_else_all_that_stack_and_the_best_one(kinds, granted):
    customer = Customer(with_campaigns(*stacking(*kinds)))
    assert given(customer.when(order_paid("o-1", IN))) == granted


def test_priority_goes_before_the_id():
    rules = with_campaigns(
        campaign("a", stacking="exclusive", priority=2), campaign("b", stacking="exclusive", priority=1)
    )
    assert given(Customer(rules).when(order_paid("o-1", IN))) == [("campaign:b", 300)]


def test_of_equals_the_first_is_the_best_and_gifts_count_as_nothing():
    gift = campaign("a", award=Award(gift="tea-cup"), stacking="best", priority=1)
    rules = with_campaigns(gift, campaign("c", stacking="best"), campaign("b", stacking="best"))
    assert given(Customer(rules).when(order_paid("o-1", IN))) == [("base", 100), ("campaign:b", 300)]
    customer = Customer(with_campaigns(gift, campaign("b", award=Award(draw_entries=3), stacking="best")))
    customer.when(order_paid("o-1", IN))
    assert [note.campaign_id for note in notes(customer)] == ["a"]


def test_a_multiplier_is_compared_by_its_extra_points():
    double = campaign("d", award=DOUBLE, stacking="best")
    rules = with_campaigns(double, campaign("p", stacking="best"))
    assert given(Customer(rules).when(order_paid("o-1", IN, 30000))) == [("base", 300), ("campaign:d", 300)]
    assert given(Customer(rules).when(order_paid("o-2", IN, 29940))) == [("base", 299), ("campaign:p", 300)]


def test_exclusive_leaves_the_bonus_of_the_first_purchase():
    rules = with_campaigns(campaign("c", stacking="exclusive"), rules=RULES)
    made = given(Customer(rules).when(order_paid("o-1", IN, 60000)))
    assert sorted(made) == [("campaign:c", 300), ("first_purchase", 50)]


def test_an_exclusive_multiplier_gives_all_of_the_multiplied_points_itself():
    rules = with_campaigns(campaign("c", award=DOUBLE, stacking="exclusive", include_skus=TEA))
    made = Customer(rules).when(order_paid("o-1", IN, [("tea-01", 10050), ("milk", 5000)]))
    assert given(made) == [("campaign:c", 201)]
    assert made[-1].data.exact == (201, 1)


# -- multipliers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "amount", "multipliers", "granted"),
    [
        (PURCHASE, 10050, ["2"], [100, 101]),  # 201.0 in all: rounded once, on the exact fraction
        (PURCHASE, 10050, ["1.5"], [100, 50]),  # 150.75
        (PURCHASE, 10050, ["2", "1.5"], [100, 101, 100]),  # 301.5: they multiply each other
        (msgspec.structs.replace(PURCHASE, rounding="half_up"), 10050, ["1.5"], [101, 50]),  # 150.75: 151
        (msgspec.structs.replace(PURCHASE, rounding="ceil"), 10050, ["1.001"], [101]),  # 100.6005: no more
        (PURCHASE, 60000, ["2"], [600, 50, 600]),  # the threshold bonus is not multiplied
    ],
)
def test_each_multiplier_takes_its_difference_in_order_of_priority(rule, amount, multipliers, granted):
    campaigns = [
        campaign(f"m{place}", award=Award(multiplier=Fraction(text)), priority=place)
        for place, text in enumerate(multipliers)
    ]
    rules = with_campaigns(*campaigns, rules=msgspec.structs.replace(PLAIN, purchase=(rule,)))
    made = Customer(rules).when(order_paid("o-1", IN, amount))
    assert [event.data.points for event in made] == granted


def test_a_multiplier_applies_to_the_tiers_points_and_to_the_lines_in_its_scope_only():
    tiers = Tiers(levels=(Level("silver", 0, Fraction("1.2")),))
    double = campaign("d", award=DOUBLE, include_skus=TEA)
    rules = msgspec.structs.replace(with_campaigns(double), tiers=tiers)
    made = Customer(rules).when(order_paid("o-1", IN, [("tea-01", 10000), ("milk", 5000)]))
    assert given(made) == [("base", 180), ("campaign:d", 120)]
    extra = made[1].data
    assert (extra.exact, extra.rounding, extra.base_amount, extra.scope) == ((120, 1), "floor", 10000, (0,))


def test_each_purchase_rule_is_multiplied_and_rounded_by_itself():
    milk = PurchaseRule("milk", Fraction(1), 200, include_skus=frozenset({"milk"}), rounding="ceil")
    rules = msgspec.structs.replace(PLAIN, purchase=(PURCHASE, milk))
    customer = Customer(with_campaigns(campaign("d", award=DOUBLE, per_customer_limit=1), rules=rules))
    made = given(customer.when(order_paid("o-1", IN, [("tea-01", 1050), ("milk", 1050)])))
    # base 21.00: 21 and 42; milk 5.25: 6 and 11 (10.5)
    assert made == [("base", 21), ("milk", 6), ("campaign:d", 21), ("campaign:d", 5)]
    assert customer.account.campaigns["d"].awards == 1  # together they are one award
    assert given(customer.when(order_paid("o-2", IN)))[1:] == []


def test_the_best_ones_multiplier_adds_to_what_stacks_before_it_and_others_add_to_it():
    rules = with_campaigns(
        campaign("a", award=DOUBLE, priority=1),
        campaign("b", award=DOUBLE, priority=2, stacking="best"),
        campaign("c", award=DOUBLE, priority=3),
    )
    assert given(Customer(rules).when(order_paid("o-1", IN))) == [
        ("base", 100),
        ("campaign:a", 100),
        ("campaign:b", 200),
        ("campaign:c", 400),
    ]


@pytest.mark.parametrize("others", [[], [campaign("c", stacking="best", priority=3)]])
def test_a_multiplier_that_adds_nothing_for_the_rounding_still_multiplies_for_those_after_it(others):
    """0.4 of a point, rounded up: 1; by 1.5 still 1; by 2 besides 1.2, so 2."""
    up = msgspec.structs.replace(PLAIN, purchase=(msgspec.structs.replace(PURCHASE, rounding="ceil"),))
    stacking = [
        campaign("a", award=Award(multiplier=Fraction("1.5")), priority=1),
        campaign("b", award=DOUBLE, priority=2),
    ]
    made = Customer(with_campaigns(*stacking, *others, rules=up)).when(order_paid("o-1", IN, 40))
    assert given(made)[:2] == [("base", 1), ("campaign:b", 1)]


# -- spend over the window ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "amounts", "granted"),
    [
        (0, [19999, 1, 20000], [0, 300, 300]),
        (0, [100000], [1500]),  # an award for each full minimum
        (0, [30000, 30000, 30000], [300, 600, 300]),
        (1, [50000, 50000], [300, 0]),
        (3, [50000, 50000], [600, 300]),
    ],
)
def test_spend_over_the_window_has_an_award_for_each_full_minimum(limit, amounts, granted):
    one = campaign("c", accumulate=True, minimum_amount=20000, per_customer_limit=limit)
    customer = Customer(with_campaigns(one))
    made = [
        sum(points for rule, points in given(customer.when(order_paid(f"o-{n}", IN, amount))) if ":" in rule)
        for n, amount in enumerate(amounts)
    ]
    assert made == granted


def test_only_goods_in_scope_orders_in_the_window_and_customers_in_the_audience_count():
    one = campaign(
        "c",
        accumulate=True,
        minimum_amount=20000,
        include_skus=TEA,
        audience=Audience(segments=frozenset({"vip"})),
    )
    customer = Customer(with_campaigns(one))
    customer.when(
        order_paid("o-1", IN, 15000),  # not in the audience yet
        updated("u-1", IN, ("vip",)),
        order_paid("o-2", "2026-02-28 10:00", 15000),  # before the window
        order_paid("o-3", IN, [("tea-01", 12000), ("milk", 90000)]),
        order_paid("o-4", IN, [("milk", 90000)]),
    )
    assert customer.account.campaigns["c"].spend == 12000
    assert given(customer.when(order_paid("o-5", IN, 8000)))[1:] == [("campaign:c", 300)]


def test_the_order_remembers_what_it_counts_for():
    one = campaign("c", accumulate=True, minimum_amount=20000, include_skus=TEA)
    customer = Customer(with_campaigns(one))
    made = customer.when(order_paid("o-1", IN, [("milk", 10000), ("tea-01", 5000)]))
    note = made[0].data.note
    assert isinstance(note, OrderNote)
    assert note.counts == (("c", (1,)),)


def test_an_accumulating_multiplier_applies_from_the_order_on_that_reaches_the_minimum():
    one = campaign("c", award=DOUBLE, accumulate=True, minimum_amount=20000, per_customer_limit=2)
    customer = Customer(with_campaigns(one))
    made = [given(customer.when(order_paid(f"o-{n}", IN, 10000)))[1:] for n in range(4)]
    assert made == [[], [("campaign:c", 100)], [("campaign:c", 100)], []]


def test_an_exclusive_campaign_that_gives_nothing_yet_shuts_nothing_out():
    rules = with_campaigns(campaign("c", accumulate=True, minimum_amount=20000, stacking="exclusive"))
    customer = Customer(rules)
    assert given(customer.when(order_paid("o-1", IN, 10000))) == [("base", 100)]
    assert given(customer.when(order_paid("o-2", IN, 10000))) == [("campaign:c", 300)]


# -- other triggers -------------------------------------------------------------------------------------

EVENTS = {
    "review": review("e-1", IN),
    "share": share("e-1", IN),
    "check_in": check_in("e-1", IN),
    "game": game("e-1", IN, 0),
    "survey": survey("e-1", IN, survey_id="unknown"),
    "activity": attended("e-1", IN),
    "registration": registered("e-1", IN),
}


@pytest.mark.parametrize("trigger", EVENTS)
def test_every_trigger_awards_each_event_that_counts_for_the_first_time(trigger):
    customer = Customer(with_campaigns(campaign("c", trigger=trigger)))
    made = customer.when(EVENTS[trigger])
    assert ("campaign:c", 300) in given(made)
    assert [note.awards for note in notes(customer)] == [1]
    repeat = msgspec.structs.replace(EVENTS[trigger], id="e-2")
    assert given(customer.when(repeat)) == []


@pytest.mark.parametrize("trigger", EVENTS)
def test_other_triggers_do_not_award(trigger):
    campaigns = [campaign(each, trigger=each) for each in [*EVENTS, "purchase"] if each != trigger]
    customer = Customer(with_campaigns(*campaigns))
    customer.when(EVENTS[trigger])
    assert notes(customer) == []


def test_a_review_past_the_daily_limits_still_counts_for_campaigns():
    rules = msgspec.structs.replace(PLAIN, daily_points_limit=10)
    customer = Customer(with_campaigns(campaign("c", trigger="review"), rules=rules))
    made = [given(customer.when(review(f"r-{number}", IN))) for number in range(3)]
    assert made == [[("review", 10), ("campaign:c", 300)], [("campaign:c", 300)], [("campaign:c", 300)]]


def test_goods_are_asked_for_where_the_event_names_one():
    rules = with_campaigns(campaign("c", trigger="review", include_skus=TEA))
    customer = Customer(rules)
    assert ("campaign:c", 300) in given(customer.when(review("r-1", IN, sku="tea-01")))
    assert ("campaign:c", 300) not in given(customer.when(review("r-2", IN, sku="milk")))


def test_a_registration_is_in_the_segments_that_it_tells():
    audience = Audience(segments=frozenset({"vip"}), registered_after_ms=ms("2026-03-01 00:00"))
    rules = with_campaigns(campaign("c", trigger="registration", audience=audience))
    assert given(Customer(rules).when(registered("r-1", IN, segments=("vip",)))) == [("campaign:c", 300)]
    assert given(Customer(rules).when(registered("r-1", IN, segments=("new",)))) == []


# -- entries and gifts ----------------------------------------------------------------------------------


def test_entries_and_gifts_are_noted_with_what_takes_them_back():
    rules = with_campaigns(
        campaign("a", award=Award(draw_entries=2), minimum_amount=10000, include_skus=TEA),
        campaign("b", award=Award(gift="tea-cup"), accumulate=True, minimum_amount=10000),
    )
    customer = Customer(rules)
    customer.when(order_paid("o-1", IN, [("tea-01", 10000), ("milk", 10000)]))
    assert notes(customer) == [
        AwardNote("a", 1, entries=2, order_id="o-1", minimum_amount=10000, scope=(0,)),
        AwardNote("b", 1, awards=2, gift="tea-cup", order_id="o-1", accumulated=True, minimum_amount=10000),
    ]


def test_an_account_keeps_campaigns_until_nothing_can_come_for_them():
    customer = Customer(with_campaigns(campaign("c", per_customer_limit=1)))
    customer.when(order_paid("o-1", IN))
    customer.when(order_paid("o-2", "2028-02-02 10:00"))
    assert "c" in customer.account.campaigns
    customer.when(order_paid("o-3", "2029-02-02 10:00"))
    assert customer.account.campaigns == {}


def test_a_gift_is_a_reward_for_nothing():
    gift = campaign("b", award=Award(gift="off-10"), minimum_amount=10000)
    customer = Customer(with_campaigns(gift, rules=MALL))
    (issued,) = [e.data for e in customer.when(order_paid("o-1", IN)) if isinstance(e.data, RewardIssued)]
    assert (issued.reward_id, issued.quantity, issued.campaign_id) == ("off-10", 1, "b")
    assert customer.balance == (100, 0, 0)
