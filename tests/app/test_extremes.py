"""The largest numbers that the file and the facts allow: what an account can't hold is set aside, the rest goes on."""

import json

from loyalty_stream.app.simulate import BadLine, simulate
from loyalty_stream.programme import compile_rules, parse_programme
from loyalty_stream.wire.reasons import Reason
from tests.docs.transcript import examples


def replayed(programme: str, text: str) -> tuple[list[BadLine], list[dict[str, int]]]:
    """The bad lines, and the balances at the end."""
    (example,) = examples(f"## A case\n\n```transcript\n{text}\n```\n")
    lines = [json.dumps(step.event).encode() for step in example.steps]
    written: list[bytes] = []
    bad = list(simulate(compile_rules(parse_programme(programme)), lines, written.append, balances=True))
    return bad, [json.loads(each) for each in written]


HIGHEST = """
[[earning.purchase]]
points = 1000000
per_amount = 1
"""
MOST = "lines=a:1000000000000"


def test_an_account_that_would_outgrow_its_encoding_takes_no_more_and_others_go_on() -> None:
    bad, balances = replayed(
        HIGHEST,
        f"""2026-01-01 10:00  order-paid  order_id=o-1 {MOST}
2026-01-01 11:00  order-paid  order_id=o-2 {MOST}
2026-01-01 12:00  order-paid  order_id=o-3 lines=a:0
2026-01-01 13:00  @mei  order-paid  order_id=o-4 lines=a:1""",
    )
    assert [(each.number, each.reason) for each in bad] == [(2, Reason.PROCESSING_FAILED)]
    assert "an account holds up to 1000000000000000000 points" in bad[0].message
    assert [(each["customer"], each["available"]) for each in balances] == [("lin", 10**18), ("mei", 10**6)]


def test_the_finest_rates_and_highest_multipliers_keep_their_exact_fractions() -> None:
    programme = """
[[earning.purchase]]
points = "0.001"
per_amount = 1000000000000
[tiers]
levels = [ {name = "all", from = 0, multiplier = "99.999"} ]
[[campaigns]]
minimum_amount = 0
accumulate = false
award.multiplier = "99.999999999"
per_customer_limit = 0
budget_points = 0
"""
    bad, balances = replayed(
        programme,
        f"""2026-03-01 10:00  order-paid  order_id=o-1 {MOST}
2026-03-01 10:01  order-paid  order_id=o-2 lines=a:999999999999,b:1""",
    )
    assert bad == []
    # Each order 0.001 x 99.999 x 99.999999999 = 9.9999, rounded down, of which the rule alone gives 0.
    assert [each["available"] for each in balances] == [18]


def test_an_award_for_each_fen_of_the_largest_order_is_set_aside() -> None:
    programme = """
[[campaigns]]
minimum_amount = 1
accumulate = true
award.points = 1000000000000
per_customer_limit = 0
budget_points = 0
"""
    bad, balances = replayed(
        programme,
        f"""2026-03-01 10:00  order-paid  order_id=o-1 {MOST}
2026-03-01 10:01  order-paid  order_id=o-2 lines=a:1""",
    )
    assert [(each.number, each.reason) for each in bad] == [(1, Reason.PROCESSING_FAILED)]
    assert [each["available"] for each in balances] == [10**12]
