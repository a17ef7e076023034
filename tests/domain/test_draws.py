import msgspec
import pytest

from loyalty_stream.domain import fold_campaigns
from loyalty_stream.domain.calendar import to_datetime, to_ms
from loyalty_stream.domain.campaign_terms import Audience, Award, Campaign, Draw, Prize, Withdrawal
from loyalty_stream.domain.draw_winners import commitment, proof
from loyalty_stream.domain.draws import Terms, ends, terms
from loyalty_stream.domain.events import SOURCE as OURS
from loyalty_stream.domain.events import Restored
from loyalty_stream.domain.facts import (
    EnterDraw,
    EnterDrawData,
    EntryRefused,
    EntryRefusedData,
    EntryWon,
    EntryWonData,
)
from loyalty_stream.domain.notes import AwardWithdrawnNote
from loyalty_stream.domain.rules import Expiry, Period
from tests.domain.given import (
    SOURCE,
    Customer,
    adjust_points,
    brief,
    erase_customer,
    moment,
    ms,
    order_paid,
    refund,
)
from tests.domain.given_rewards import MALL

SEED = "七夕-2026"
STARTS, ENDS = "2026-03-01 00:00", "2026-03-08 00:00"
DRAW = Campaign(
    id="spring",
    version=1,
    theme="spring",
    mode="online",
    starts_at_ms=ms(STARTS),
    ends_at_ms=ms(ENDS),
    trigger="purchase",
    award=Award(),
    per_customer_limit=2,
    draw=Draw((Prize("off-10", 1), Prize("a-car", 1)), commitment(SEED), entry_cost=100),
)
AWARDED = msgspec.structs.replace(
    DRAW, award=Award(draw_entries=2), minimum_amount=10000, per_customer_limit=0
)


def rules(*campaigns):
    return msgspec.structs.replace(MALL, campaigns=campaigns)


def enter(fact_id, at, *, entry_id="", campaign_id="spring", subject="c-1"):
    data = EnterDrawData(entry_id=entry_id or fact_id, campaign_id=campaign_id)
    return EnterDraw(
        specversion="1.0", id=fact_id, source=SOURCE, subject=subject, time=moment(at), data=data
    )


def won(entry_id, prize, subject="c-1"):
    mark = proof(SEED, entry_id)
    data = EntryWonData(entry_id=entry_id, campaign_id="spring", prize=prize, proof=mark)
    return EntryWon(
        specversion="1.0",
        id=f"draw-won:{mark}",
        source=OURS,
        subject=subject,
        time=moment("2026-03-09 00:00"),
        data=data,
    )


def customer(points=400, campaign=DRAW):
    one = Customer(rules(campaign))
    one.when(order_paid("o-1", "2026-02-01 10:00", points * 100))
    return one


def codes(events):
    return [event.data.code for event in events if event.type == "command-rejected"]


def test_an_entry_is_paid_for_and_entered():
    one = customer()
    made = one.when(enter("e-1", "2026-03-02 10:00"))
    assert brief(made) == [("point-redeemed", 100), ("draw-entered", 0)]
    assert (made[0].data.entry_id, made[1].data.entry_id, made[1].data.campaign_id) == (
        "e-1",
        "e-1",
        "spring",
    )
    assert one.balance == (300, 0, 0)


def test_an_entry_that_costs_nothing_moves_no_points():
    free = msgspec.structs.replace(DRAW, draw=msgspec.structs.replace(DRAW.draw, entry_cost=0))
    assert brief(customer(0, free).when(enter("e-1", "2026-03-02 10:00"))) == [("draw-entered", 0)]


def test_an_entry_that_is_known_changes_nothing():
    one = customer()
    one.when(enter("e-1", "2026-03-02 10:00"))
    made = one.when(enter("again", "2026-03-02 11:00", entry_id="e-1"))
    assert [event.data.kind for event in made] == ["key"]
    assert one.balance == (300, 0, 0)


@pytest.mark.parametrize(
    ("campaign", "points", "at", "code"),
    [
        (msgspec.structs.replace(DRAW, id="other"), 400, "2026-03-02 10:00", "unknown_campaign"),
        (msgspec.structs.replace(DRAW, draw=None), 400, "2026-03-02 10:00", "unknown_campaign"),
        (DRAW, 50, "2026-03-09 10:00", "insufficient_points"),  # and closed: the list's order decides
        (
            msgspec.structs.replace(DRAW, audience=Audience(tiers=frozenset({"gold"}))),
            400,
            "2026-03-09 10:00",
            "not_eligible",
        ),
        (DRAW, 400, "2026-02-28 23:59", "draw_closed"),
        (DRAW, 400, ENDS, "draw_closed"),
    ],
)
def test_the_first_check_that_fails_is_the_code(campaign, points, at, code):
    one = customer(points, campaign)
    made = one.when(enter("e-1", at))
    assert codes(made) == [code]
    assert one.balance == (points, 0, 0)


def test_entries_by_command_count_against_the_limit():
    one = customer()
    one.when(enter("e-1", "2026-03-02 10:00"), enter("e-2", "2026-03-02 10:01"))
    assert codes(one.when(enter("e-3", "2026-03-02 10:02"))) == ["limit_reached"]


def test_a_command_that_arrives_after_the_end_is_too_late_whatever_its_time():
    one = customer()
    one.clock(ENDS)
    assert codes(one.when(enter("e-1", "2026-03-02 10:00"))) == ["draw_closed"]


def test_a_campaign_awards_entries_under_ids_of_its_own():
    one = customer(0, AWARDED)
    made = one.when(order_paid("o-2", "2026-03-02 10:00", 15000))
    entries = [event for event in made if event.type == "draw-entered"]
    stem = made[0].id.partition(".")[0]
    assert [event.data.entry_id for event in entries] == [f"{stem}.spring.1", f"{stem}.spring.2"]


def test_a_late_order_enters_no_draw_that_is_closed():
    one = customer(0, AWARDED)
    one.clock(ENDS)
    made = one.when(order_paid("o-2", "2026-03-02 10:00", 15000))
    assert [event for event in made if event.type == "draw-entered"] == []


def test_a_refund_below_the_minimum_takes_the_entries_back_by_name():
    one = customer(0, AWARDED)
    made = one.when(order_paid("o-2", "2026-03-02 10:00", 15000))
    entered = [event.data.entry_id for event in made if event.type == "draw-entered"]
    made = one.when(refund("r-1", "2026-03-03 10:00", "o-2", 6000))
    notes = [event.data.note for event in made if isinstance(event.data.note, AwardWithdrawnNote)]
    assert [list(note.entry_ids) for note in notes] == [entered]


def test_who_wins_a_reward_gets_it_free_and_once():
    one = customer()
    one.when(enter("e-1", "2026-03-02 10:00"))
    made = one.when(won("e-1", "off-10"))
    assert brief(made) == [("draw-won", 0), ("reward-issued", 0)]
    assert made[0].data.proof == proof(SEED, "e-1")
    assert (made[1].data.reward_id, made[1].data.quantity, made[1].data.campaign_id) == (
        "off-10",
        1,
        "spring",
    )
    assert one.when(won("e-1", "off-10")) == []


def test_a_prize_that_is_no_reward_is_only_told_of():
    one = customer()
    one.when(enter("e-1", "2026-03-02 10:00"))
    assert brief(one.when(won("e-1", "a-car"))) == [("draw-won", 0)]


def test_a_prize_of_limited_stock_is_asked_for():
    one = customer()
    one.when(enter("e-1", "2026-03-02 10:00"))
    made = one.when(won("e-1", "tea-cup"))
    assert [event.type for event in made] == ["draw-won", "account-noted"]
    assert made[1].data.note.resource == "stock:tea-cup"


def test_an_erased_customer_wins_nothing():
    one = customer()
    one.when(enter("e-1", "2026-03-02 10:00"), erase_customer("x", "2026-03-03 10:00"))
    assert one.when(won("e-1", "off-10")) == []


def test_an_entry_that_the_account_does_not_have_wins_nothing():
    assert customer().when(won("e-9", "off-10")) == []


def test_entries_by_command_take_no_award_from_the_spend_over_the_window():
    """They count against the limit per customer, and against nothing else."""
    spending = msgspec.structs.replace(
        DRAW, award=Award(points=30), minimum_amount=5000, accumulate=True, per_customer_limit=3
    )
    one = customer(400, spending)
    one.when(enter("e-1", "2026-03-02 10:00"))
    made = one.when(order_paid("o-2", "2026-03-02 11:00", 5000))
    assert [event.data.points for event in made if event.type == "point-granted"] == [50, 30]
    assert brief(one.when(refund("r-1", "2026-03-02 12:00", "o-2", 0))) == [("account-noted", 0)]
    made = one.when(order_paid("o-3", "2026-03-02 13:00", 20000))
    assert [event.data.points for event in made if event.type == "point-granted"] == [200, 30]
    made = one.when(refund("r-2", "2026-03-02 14:00", "o-3", 20000))
    assert [event.data.campaign_id for event in made if event.type == "point-revoked"] == [None, "spring"]
    known = one.account.campaigns["spring"]
    assert (known.awards, known.apart, fold_campaigns.for_spend(known), known.spend) == (2, 1, 1, 5000)


def refused(entered, subject="c-1"):
    """What the draw's owner says to the event of an entry that came after the draw was held."""
    data = EntryRefusedData(entry_id=entered.data.entry_id, campaign_id="spring", paid=entered.data.paid)
    return EntryRefused(
        specversion="1.0",
        id=f"draw-refused:{entered.id}",
        source=OURS,
        subject=subject,
        time=entered.time,
        data=data,
    )


def test_an_entry_tells_what_it_cost_and_with_which_dates_that_comes_back():
    one = customer(60)
    one.when(adjust_points("a-1", "2026-02-02 10:00", 80))
    first, second = one.account.lots
    (redeemed, entered) = one.when(enter("e-1", "2026-03-02 10:00"))
    assert entered.data.paid == (
        Restored(first.grant_id, 60, to_datetime(first.earned_at), to_datetime(first.expires_at)),
        Restored(second.grant_id, 40, to_datetime(second.earned_at), to_datetime(second.expires_at)),
    )
    assert [part.grant_id for part in redeemed.data.grants] == [first.grant_id, second.grant_id]


def test_nobody_pays_for_an_entry_that_takes_no_part():
    one = customer()
    before = one.account.lots[0].points, one.account.lots[0].expires_at
    _, entered = one.when(enter("e-1", "2026-03-02 10:00"))
    made = one.when(refused(entered))
    assert brief(made) == [("point-restored", 100)]
    assert made[0].data.entry_id == "e-1"
    assert made[0].data.note == AwardWithdrawnNote("spring", None, 1, 1, ("e-1",))
    assert (one.account.lots[0].points, one.account.lots[0].expires_at) == before
    assert one.account.campaigns["spring"].awards == 0
    assert one.when(refused(entered)) == []  # once, however often it is told
    assert one.balance == (400, 0, 0)


def test_what_comes_back_after_its_date_expires_at_once():
    one = customer()
    _, entered = one.when(enter("e-1", "2026-03-02 10:00"))
    one.clock("2027-06-01 00:00")
    assert brief(one.when(refused(entered))) == [("point-restored", 100), ("point-expired", 100)]


def test_an_awarded_entry_that_takes_no_part_costs_nothing_and_its_order_keeps_the_award():
    one = customer(0, AWARDED)
    entered = one.when(order_paid("o-2", "2026-03-02 10:00", 15000))[-1]
    made = one.when(refused(entered))
    (note,) = [event.data.note for event in made]
    assert note == AwardWithdrawnNote("spring", None, 0, 1, (entered.data.entry_id,))
    assert one.account.campaigns["spring"].awards == 1
    assert one.when(refused(entered)) == []


def test_an_erased_customer_gets_nothing_back():
    one = customer()
    _, entered = one.when(enter("e-1", "2026-03-02 10:00"))
    one.when(erase_customer("x", "2026-03-03 10:00"))
    assert one.when(refused(entered)) == []


def test_to_pay_for_an_entry_is_to_spend_so_all_points_live_on():
    idle = Expiry("inactivity", Period("P90D", days=90), "none", ())
    one = Customer(msgspec.structs.replace(rules(DRAW), expiry=idle))
    one.when(order_paid("o-1", "2026-02-01 10:00", 40000))
    redeemed, entered = one.when(enter("e-1", "2026-03-02 10:00"))
    until = moment("2026-05-31 10:00")
    assert to_ms(redeemed.data.all_expire_at) == ms("2026-05-31 10:00")
    assert {lot.expires_at for lot in one.account.lots} == {to_ms(until)}
    assert brief(one.when(refused(entered))) == [("point-restored", 100)]
    assert {lot.expires_at for lot in one.account.lots} == {to_ms(until)}


LATER = msgspec.structs.replace(
    DRAW,
    version=2,
    effective_at_ms=ms("2026-03-03 00:00"),
    ends_at_ms=ms("2026-03-10 00:00"),
    draw=Draw((Prize("a-car", 9),), commitment("another")),
)


@pytest.mark.parametrize(
    ("versions", "prizes", "ends_at"),
    [
        ((DRAW,), DRAW.draw.prizes, ENDS),
        ((DRAW, LATER), DRAW.draw.prizes, "2026-03-10 00:00"),
        ((DRAW, Withdrawal("spring", ms("2026-03-04 00:00"))), DRAW.draw.prizes, ENDS),
        ((LATER,), LATER.draw.prizes, "2026-03-10 00:00"),
        (
            (DRAW, msgspec.structs.replace(LATER, effective_at_ms=ms("2026-02-20 00:00"))),
            LATER.draw.prizes,
            "2026-03-10 00:00",
        ),
    ],
)
def test_nobody_changes_prizes_or_commitment_once_the_campaign_has_started(versions, prizes, ends_at):
    book = rules(*versions).book
    found = terms(book, "spring")
    assert isinstance(found, Terms)
    assert (found.prizes, found.ends_at_ms) == (prizes, ms(ends_at))
    assert ends(book) == [(ms(ends_at), "spring")]
    assert terms(book, "other") is None
