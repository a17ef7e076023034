"""Nobody pays for an entry that takes no part in its draw, and nobody moves the end of a draw that can be worked out."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from loyalty_stream.app.allocation import StateCodec
from loyalty_stream.app.campaign_topic import LiveRules
from loyalty_stream.app.draw_owner import DrawOwner
from loyalty_stream.app.simulate import Simulation
from loyalty_stream.app.verify_draw import DrawAudit
from loyalty_stream.domain import draws
from loyalty_stream.domain.announcements import DrawSeedRevealed, DrawSeedRevealedData
from loyalty_stream.domain.campaign_terms import Award, Campaign, Draw, Prize
from loyalty_stream.domain.draw_winners import commitment
from loyalty_stream.domain.events import Restored
from loyalty_stream.domain.facts import EntryRefused, EntryWon
from loyalty_stream.domain.owner_requests import EntryMade, ErasedData, MadeData
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.table import Table
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire import point_events
from loyalty_stream.wire.reasons import Reason
from tests.domain import given
from tests.domain.given import moment, ms
from tests.domain.given_rewards import MALL

SEED = "七夕-2026"
ENDS = ms("2026-03-08 00:00")
LOTS = Campaign(
    id="lots",
    version=1,
    theme="lots",
    mode="online",
    starts_at_ms=ms("2026-03-01 00:00"),
    ends_at_ms=ENDS,
    trigger="purchase",
    award=Award(),
    draw=Draw((Prize("car", 1), Prize("bike", 2)), commitment(SEED), entry_cost=100),
)
RULES = msgspec.structs.replace(MALL, campaigns=(LOTS,))
PAID = (Restored("g", 100, moment("2026-02-01 10:00"), None),)


def revealed(at: str = "2026-03-09 12:00") -> DrawSeedRevealed:
    return DrawSeedRevealed(
        specversion="1.0",
        id="seed",
        source=given.SOURCE,
        subject="lots",
        time=moment(at),
        data=DrawSeedRevealedData(campaign_id="lots", seed=SEED),
    )


def made(number: int, made_at: int) -> EntryMade:
    return EntryMade(
        id=f"e-{number}",
        subject="draw:lots",
        time=moment("2026-03-07 23:00"),
        data=MadeData(
            campaign_id="lots",
            entry_id=f"n-{number}",
            customer=f"c-{number}",
            partition=0,
            made_at=made_at,
            paid=PAID,
        ),
    )


# -- the draw's owner -----------------------------------------------------------------------------------


class Owner:
    """The owner of a draw of one partition's customers, which can be killed: then only its table is left."""

    def __init__(self) -> None:
        self.table = Table(StateCodec(), 100)
        self.said: list[EntryWon | EntryRefused] = []
        self.begin()

    def begin(self) -> None:
        self.owner = DrawOwner(self.table, 1, self.tell)
        self.owner.restored()

    def tell(self, partition: int, said: EntryWon | EntryRefused) -> None:
        assert partition == 0
        self.said.append(said)

    def commit(self) -> None:
        self.table.committed(self.table.changes())

    def draw(self, rules: Rules = RULES) -> None:
        self.owner.pass_time("lots", 0, ENDS)
        self.owner.reveal(revealed())
        while self.owner.proceed(rules):
            pass

    def refused(self) -> list[str]:
        return [each.data.entry_id for each in self.said if isinstance(each, EntryRefused)]


def test_an_entry_made_after_the_draw_was_held_goes_back_with_what_it_cost() -> None:
    one = Owner()
    one.owner.enter(made(1, ENDS - 1))
    one.draw()
    one.owner.enter(made(2, ENDS))
    (said,) = [each for each in one.said if isinstance(each, EntryRefused)]
    assert (said.subject, said.data.entry_id, said.data.campaign_id, said.data.paid) == (
        "c-2",
        "n-2",
        "lots",
        PAID,
    )
    assert said.time == made(2, 0).time


def test_a_repeat_of_an_entry_that_took_part_is_no_late_one() -> None:
    """A broker without transactions: the same entry can come again, even after its partition told of the end."""
    one = Owner()
    one.owner.enter(made(1, ENDS - 1))
    one.draw()
    one.owner.enter(made(1, ENDS - 1))
    assert one.refused() == []


def test_an_entry_from_after_the_end_that_came_before_the_draw_took_part_and_its_repeat_changes_nothing() -> (
    None
):
    one = Owner()
    one.owner.enter(made(1, ENDS + 1))
    one.draw()
    one.commit()
    one.begin()
    one.draw()
    one.owner.enter(made(1, ENDS + 1))
    assert one.refused() == []
    one.owner.withdraw_all(
        ErasedData(campaign_id="lots", customer="c-1")
    )  # nothing of theirs is kept, either
    one.commit()
    assert [key for key, _ in one.table.committed_items() if b"c-1" in key] == []


def test_an_entry_of_an_older_release_is_dropped_as_it_was() -> None:
    one = Owner()
    one.draw()
    one.owner.enter(made(1, 0))
    assert one.refused() == []


def test_what_comes_in_the_midst_of_drawing_takes_no_part_and_is_told_so(monkeypatch) -> None:
    monkeypatch.setattr("loyalty_stream.app.draw_owner.SLICE_ENTRIES", 2)
    one = Owner()
    for number in range(5):
        one.owner.enter(made(number, ENDS - 1))
    one.owner.pass_time("lots", 0, ENDS)
    one.owner.reveal(revealed())
    assert one.owner.proceed(RULES)
    one.owner.enter(made(9, ENDS + 5))
    while one.owner.proceed(RULES):
        pass
    assert one.refused() == ["n-9"]
    winners = {each.data.entry_id for each in one.said if isinstance(each, EntryWon)}
    assert len(winners) == 3
    assert "n-9" not in winners


ALL_WIN = msgspec.structs.replace(
    MALL, campaigns=(msgspec.structs.replace(LOTS, draw=Draw((Prize("car", 99),), commitment(SEED))),)
)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(0, 9)),
        st.tuples(st.just("late"), st.integers(10, 19)),
        st.sampled_from([("pass",), ("reveal",), ("proceed",), ("commit",), ("kill",)]),
    ),
    max_size=30,
)


@hypothesis_given(MOVES)
def test_in_any_order_and_under_kill_every_entry_takes_part_or_goes_back(moves) -> None:
    """Whatever is committed: an entry is drawn among, or its customer is told that it is not; never both, never neither."""
    one = Owner()
    entered: dict[str, EntryMade] = {}
    committed: list[EntryWon | EntryRefused] = []
    uncommitted: list[Callable[[], None]] = []
    passed = has_revealed = False

    def do(move) -> None:
        match move:
            case ("enter", number):
                one.owner.enter(entered.setdefault(f"n-{number}", made(number, ENDS - 1)))
            case ("late", number):
                one.owner.enter(entered.setdefault(f"n-{number}", made(number, ENDS + number)))
            case ("pass",):
                one.owner.pass_time("lots", 0, ENDS)

    for move in moves:
        match move:
            case ("enter", number) if passed and f"n-{number}" not in entered:
                continue  # a partition sends no new entry from before once it has told that it passed the end
            case ("enter" | "late", _) | ("pass",):
                passed = passed or move == ("pass",)
                uncommitted.append(lambda move=move: do(move))
                do(move)
            case ("reveal",):
                has_revealed = True
                one.owner.reveal(revealed())
            case ("proceed",):
                one.owner.proceed(ALL_WIN)
            case ("commit",):
                one.commit()
                committed, uncommitted = list(one.said), []
            case ("kill",):
                kept = one.table.committed_items()
                one.table = Table(StateCodec(), 100)
                one.table.restore_all(list(kept))
                one.said = list(committed)
                one.begin()
                if has_revealed:
                    one.owner.reveal(revealed())
                for again in uncommitted:
                    again()
    one.draw(ALL_WIN)
    took_part = [each.data.entry_id for each in one.said if isinstance(each, EntryWon)]
    assert len(took_part) == len(set(took_part))
    assert set(took_part) ^ set(one.refused()) == entered.keys()
    for name in one.refused():
        assert entered[name].data.made_at >= ENDS


# -- a version that comes after the seed ----------------------------------------------------------------


def published(at: str, ends: str, event_id: str = "p-2", version: int = 2) -> bytes:
    data = {
        "id": "lots",
        "version": version,
        "starts_at": "2026-03-01T00:00:00+08:00",
        "ends_at": moment(ends).isoformat(),
        "award": {},
        "accumulate": False,
        "minimum_amount": 0,
        "per_customer_limit": 0,
        "budget_points": 0,
        "draw": {
            "prizes": [{"id": "car", "winners": 1}],
            "seed_commitment": commitment(SEED),
            "entry_cost": 100,
        },
        "effective_at": (moment(at)).replace(minute=30).isoformat(),
    }
    return json.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "/marketing",
            "type": "campaign-published",
            "subject": "lots",
            "time": moment(at).isoformat(),
            "data": data,
        }
    ).encode()


def heard(rules: LiveRules, value: bytes) -> bool:
    said = wire.decode_line(value)
    assert isinstance(said, wire.Decoded)
    return rules.hear(said.fact)


REVEALED = msgspec.json.encode(revealed())
LATER = published("2026-03-09 13:00", "2026-03-20 00:00")
EARLIER = published("2026-03-09 11:00", "2026-03-20 00:00")


def end_of(*values: bytes) -> datetime:
    rules = LiveRules(RULES)
    for value in values:
        heard(rules, value)
    terms = draws.terms(rules.current.book, "lots")
    assert terms is not None
    return datetime.fromtimestamp(terms.ends_at_ms / 1000, UTC)


def test_the_end_of_a_draw_moves_until_its_seed_is_revealed_and_no_more() -> None:
    assert end_of() == moment("2026-03-08 00:00")
    assert end_of(EARLIER) == moment("2026-03-20 00:00")
    assert end_of(REVEALED, LATER) == moment("2026-03-08 00:00")
    # A seed that comes before the end, moved already, is not taken: the draw stays open.
    assert end_of(EARLIER, REVEALED) == moment("2026-03-20 00:00")
    again = published("2026-03-09 14:00", "2026-03-25 00:00", "p-3", 3)
    assert end_of(EARLIER, REVEALED, again) == moment("2026-03-25 00:00")


def test_what_comes_after_the_seed_is_set_aside_and_nobody_can_enter_any_more() -> None:
    simulation = Simulation(RULES)
    enter = {"entry_id": "n-1", "campaign_id": "lots"}
    lines = [
        msgspec.json.encode(given.order_paid("o-1", "2026-02-01 10:00", 30000)),
        command("enter-draw", "c-0", "2026-03-02 10:00", enter | {"entry_id": "n-0"}),
        REVEALED,
        LATER,
        command("enter-draw", "c-1", "2026-03-10 10:00", enter),
    ]
    made_, bad = [], []
    for number, line in enumerate(lines):
        events, wrong = simulation.apply(number, line)
        made_ += events
        bad += [(number, wrong.reason)] if wrong is not None else []
    assert bad == [(3, Reason.INVALID_CAMPAIGN)]
    codes = [json.loads(each)["data"].get("code") for each in made_]
    assert [code for code in codes if code] == ["draw_closed"]
    audit = DrawAudit("lots", RULES)
    for line in [lines[2], lines[3], *made_]:
        audit.take(line)
    assert audit.report().holds


def command(kind: str, event_id: str, at: str, data: dict[str, str]) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": given.SOURCE,
            "type": kind,
            "subject": "c-1",
            "time": moment(at).isoformat(),
            "data": data,
        }
    ).encode()


@pytest.mark.parametrize("paid", [(), PAID])
def test_an_audit_leaves_out_entries_that_came_too_late(paid) -> None:
    """With the smallest proof of all a late entry would have won."""
    customer = given.Customer(RULES)
    customer.when(given.order_paid("o-1", "2026-02-01 10:00", 30000))
    events = list(customer.events)
    for entry_id in ("n-1", "n-2"):
        events += customer.when(enter_draw(entry_id))
    refusal = EntryRefused(
        specversion="1.0",
        id="r",
        source="loyalty-stream",
        subject="c-1",
        time=moment("2026-03-02 10:00"),
        data={"entry_id": "n-1", "campaign_id": "lots", "paid": paid},
    )
    refusal = msgspec.json.decode(msgspec.json.encode(refusal), type=EntryRefused)
    if paid:
        refusal = msgspec.structs.replace(
            refusal, data=msgspec.structs.replace(refusal.data, paid=events[-1].data.paid)
        )
    events += customer.when(refusal)
    audit = DrawAudit("lots", RULES)
    for event in events:
        audit.take(point_events.encode(event))
    report = audit.report(SEED)
    assert [winner.entry_id for winner in report.expected] == ["n-2"]


def enter_draw(entry_id: str):
    from tests.domain.test_draws import enter  # noqa: PLC0415 - its campaign is another

    return enter(entry_id, "2026-03-02 10:00", campaign_id="lots")
