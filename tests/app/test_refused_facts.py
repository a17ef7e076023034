"""Facts that are well formed and absurd: each is set aside with its code and changes nothing, and the rest goes on."""

import json
from typing import Any

import pytest

from loyalty_stream.app.simulate import simulate
from loyalty_stream.programme import compile_rules, parse_programme
from tests.docs.transcript import examples

RULES = compile_rules(parse_programme('[[earning.purchase]]\n[programme]\nretention = "P30D"'))
PAID = "2026-03-01 10:00  order-paid  order_id=o-1 lines=tea:10000,cup:5000 discount_amount=1500\n"

PUBLISHED = "2026-03-02 10:00  @tea  campaign-published  id=tea effective_at=2026-03-03T00:00:00Z "

REFUSED = [
    # orders
    ("wrong_currency", "2026-03-02 10:00  order-paid  order_id=o-2 lines=tea:100 currency=EUR"),
    ("wrong_currency", "2026-03-02 10:00  order-paid  order_id=o-2 lines=tea:100 currency=cny"),
    ("amount_too_large", "2026-03-02 10:00  order-paid  order_id=o-2 lines=tea:1000000000000,cup:1"),
    ("too_old", "2026-01-29 09:59  order-paid  order_id=o-2 lines=tea:100"),
    ("too_old", "2026-01-29 09:59  checked-in"),
    # refunds
    ("refused_refund", "2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=13501"),
    (
        "refused_refund",
        "2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=9001 lines=l1:9001",
    ),
    ("refused_refund", "2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=1 lines=l3:1"),
    ("refused_refund", "2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=3 lines=l1:1,l2:1"),
    (
        "refused_refund",
        "2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=9001 lines=l1:1,l1:9000",
    ),
    (
        "refused_refund",
        """2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=13500
2026-03-03 10:00  order-refunded  order_id=o-1 refund_id=g amount=1""",
    ),
    (
        "refused_refund",
        """2026-03-02 10:00  order-cancelled  order_id=o-1
2026-03-03 10:00  order-refunded  order_id=o-1 refund_id=g amount=1""",
    ),
    # campaigns
    ("missing_field", "2026-03-02 10:00  @tea  campaign-withdrawn  id=tea"),
    ("missing_field", "2026-03-02 10:00  @tea  campaign-withdrawn  effective_at=2026-03-03T00:00:00Z"),
    ("wrong_type", "2026-03-02 10:00  @tea  campaign-withdrawn  id=tea effective_at=7"),
    ("invalid_time", "2026-03-02 10:00  @tea  campaign-withdrawn  id=tea effective_at=soon"),
    (
        "invalid_campaign",
        "2026-03-02 10:00  @tea  campaign-withdrawn  id=tea effective_at=2026-03-02T02:00:59Z",
    ),
    (
        "invalid_campaign",
        "2026-03-02 10:00  @tea  campaign-withdrawn  id=pot effective_at=2026-03-03T00:00:00Z",
    ),
    ("missing_field", "2026-03-09 10:00  @tea  draw-seed-revealed  campaign_id=tea"),
    ("missing_field", "2026-03-09 10:00  @tea  draw-seed-revealed  seed=s"),
    ("wrong_type", "2026-03-09 10:00  @tea  draw-seed-revealed  campaign_id=tea seed=7"),
    ("invalid_campaign", "2026-03-09 10:00  @tea  draw-seed-revealed  campaign_id=pot seed=s"),
    ("refused_seed", "2026-03-09 10:00  @tea  draw-seed-revealed  campaign_id=tea seed=s"),
    (
        "invalid_campaign",
        PUBLISHED + "award={}",
    ),
    (
        "invalid_campaign",
        '2026-03-02 10:00  @tea  campaign-published  id=tea effective_at=2026-03-02T10:00:59+08:00 award={"points":1}',
    ),
    (
        "invalid_campaign",
        '2026-03-02 10:00  @tea  campaign-published  id=pot effective_at=2026-03-03T00:00:00Z award={"points":1}',
    ),
    (
        "invalid_campaign",
        PUBLISHED + 'award={"gift":"cup"}',
    ),
    (
        "invalid_campaign",
        PUBLISHED + 'award={"points":1} audience={"tiers":["gold"]}',
    ),
    (
        "invalid_campaign",
        PUBLISHED + 'award={"points":1.5}',
    ),
]


def lines_of(text: str) -> list[bytes]:
    (example,) = examples(f"## A case\n\n```transcript\n{text}\n```\n")
    return [json.dumps(step.event).encode() for step in example.steps]


def balances(lines: list[bytes]) -> list[dict[str, Any]]:
    written: list[bytes] = []
    list(simulate(RULES, lines, written.append, balances=True))
    return [json.loads(line) for line in written]


@pytest.mark.parametrize(("code", "text"), REFUSED, ids=lambda given: given.splitlines()[-1][:90])
def test_an_absurd_fact_is_set_aside_with_its_code(code: str, text: str) -> None:
    *before, absurd = lines_of(PAID + text)
    after = lines_of("2026-03-05 10:00  order-paid  event_id=after order_id=o-9 lines=tea:700")
    written: list[bytes] = []
    bad = list(simulate(RULES, [*before, absurd, *after], written.append))
    assert [(each.number, str(each.reason)) for each in bad] == [(len(before) + 1, code)]
    assert bad[0].message
    assert json.loads(written[-1])["data"]["points"] == 7
    assert balances([*before, absurd, *after]) == balances([*before, *after])


HARMLESS = [
    # A discount larger than the goods leaves nothing to earn, and is no mistake of the customer's.
    ("2026-03-02 10:00  order-paid  order_id=o-2 lines=tea:100 discount_amount=200", 135),
    ("2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=0", 135),
    ("2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=13500", 0),
    ("2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=9000 lines=l1:9000", 45),
    ("2026-03-02 10:00  order-refunded  order_id=o-1 refund_id=f amount=0 lines=l1:0", 135),
    ("2026-01-30 10:00  order-paid  order_id=o-2 lines=tea:100", 136),
]


@pytest.mark.parametrize(("text", "available"), HARMLESS)
def test_what_is_only_strange_is_taken(text: str, available: int) -> None:
    lines = lines_of(PAID + text)
    assert list(simulate(RULES, lines, [].append)) == []
    assert [each["available"] for each in balances(lines)] == [available]
