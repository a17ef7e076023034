"""A draw is checked from published data alone, and whatever is not as it should be is found."""

import msgspec
import pytest

from loyalty_stream.app.simulate import Simulation
from loyalty_stream.app.verify_draw import DrawAudit, NoDrawError, verify_files
from loyalty_stream.domain.campaign_terms import Award, Campaign, Draw, Prize
from loyalty_stream.domain.draw_winners import commitment, proof
from tests.domain import given
from tests.domain.given_rewards import MALL

SEED = "七夕-2026"
LOTS = Campaign(
    id="lots",
    version=1,
    theme="lots",
    mode="online",
    starts_at_ms=given.ms("2026-03-01 00:00"),
    ends_at_ms=given.ms("2026-03-08 00:00"),
    trigger="purchase",
    award=Award(draw_entries=2),
    minimum_amount=10000,
    draw=Draw((Prize("car", 1), Prize("bike", 3)), commitment(SEED)),
)
RULES = msgspec.structs.replace(MALL, campaigns=(LOTS,))
REVEALED = msgspec.json.encode(
    {
        "specversion": "1.0",
        "id": "seed",
        "source": given.SOURCE,
        "type": "draw-seed-revealed",
        "subject": "lots",
        "time": "2026-03-09T12:00:00+08:00",
        "data": {"campaign_id": "lots", "seed": SEED},
    }
)


def published(*more) -> list[bytes]:
    """Ten customers with two entries each; one refunded, one erased before the draw; then the draw, then `more`."""
    facts = [
        given.order_paid(f"o-{n}", f"2026-03-02 10:00:{n:02}", 20000, subject=f"c-{n}") for n in range(10)
    ]
    facts.append(given.refund("r-1", "2026-03-03 10:00", "o-1", 15000, subject="c-1"))
    facts.append(given.erase_customer("x-2", "2026-03-03 11:00", subject="c-2"))
    simulation = Simulation(RULES)
    lines = [msgspec.json.encode(fact) for fact in facts] + [REVEALED]
    lines += [msgspec.json.encode(fact) for fact in more]
    made: list[bytes] = []
    for number, line in enumerate(lines):
        events, bad = simulation.apply(number, line)
        assert bad is None
        made += events
    return made


def audited(lines, rules=RULES) -> DrawAudit:
    audit = DrawAudit("lots", rules)
    for line in lines:
        audit.take(line)
    return audit


def test_a_draw_that_was_held_right_holds():
    report = audited([REVEALED, *published()]).report()
    assert report.holds
    assert report.entries == 16  # without those of the refunded order and of the erased customer
    assert [winner.prize for winner in report.expected] == ["car", "bike", "bike", "bike"]
    assert [winner.proof for winner in report.expected] == sorted(
        proof(SEED, winner.entry_id) for winner in report.expected
    )
    assert report.published == report.expected


def test_it_holds_when_a_winner_was_erased_after_the_draw():
    winner = audited(published()).report(SEED).expected[0].customer
    report = audited(published(given.erase_customer("late", "2026-03-20 10:00", subject=winner))).report(SEED)
    assert report.holds
    assert report.expected[0].customer == winner


def test_a_winner_who_was_not_told_or_wrongly_told_is_found():
    lines = published()
    won = [line for line in lines if b'"draw-won"' in line]
    without = audited([line for line in lines if line != won[0]]).report(SEED)
    assert not without.holds
    assert len(without.missing) == 1
    assert not without.unexpected
    other = won[0].replace(b'"prize":"car"', b'"prize":"jet"').replace(b'"prize":"bike"', b'"prize":"jet"')
    wrong = audited([other if line == won[0] else line for line in lines]).report(SEED)
    assert not wrong.holds
    assert [winner.prize for winner in wrong.unexpected] == ["jet"]


def test_an_entry_that_was_kept_out_is_found():
    """The best entry's `draw-entered` counts even if it did not win."""
    lines = published()
    best = audited(lines).report(SEED).expected[0]
    lost = [line for line in lines if not (b'"draw-won"' in line and best.entry_id.encode() in line)]
    assert [winner.entry_id for winner in audited(lost).report(SEED).missing] == [best.entry_id]


def test_another_seed_is_not_the_one_that_was_committed_to():
    report = audited(published()).report("another")
    assert not report.seed_is_right
    assert not report.holds


def test_what_cannot_be_checked_is_said(tmp_path):
    with pytest.raises(NoDrawError, match="seed of lots was not revealed"):
        audited(published()).report()
    with pytest.raises(NoDrawError, match="no campaign lots with a draw"):
        audited([], MALL).report(SEED)
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([REVEALED, *published()]) + b"\n")
    assert verify_files("lots", None, RULES, [file]).holds
    file.write_bytes(b"\n{}\n")
    with pytest.raises(NoDrawError, match=r"events.jsonl:2: no event of ours"):
        verify_files("lots", None, RULES, [file])
