"""One customer's history decided again under some rules: a pure function of turns, rules and what others answer.

What the ledger does for an account is done here without tables, transactions and encodings. It must not know who
answers, nor what becomes of the events.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from loyalty_stream.analysis.what_if.decoded_turns import event_of, fact_of
from loyalty_stream.analysis.what_if.turns import ANSWER, CUT_IN_TWO, EVENT, FACT, REWARD, WIN, Turn
from loyalty_stream.app.account_table import EntryCodec
from loyalty_stream.app.admission import Admission, beyond
from loyalty_stream.app.outbox import TELLING_NOTES, Outbox
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import calendar, decide, expiry
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.campaign_book import ALWAYS
from loyalty_stream.domain.events import SOURCE, PointEvent
from loyalty_stream.domain.evolve import fold
from loyalty_stream.domain.facts import (
    AllocationAnswered,
    AllocationAnsweredData,
    Answer,
    EntryWon,
    GrantPoints,
    Incoming,
    OrderRefunded,
)
from loyalty_stream.domain.notes import AnswerNote, AskNote
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.stage import Context
from loyalty_stream.engine.table import Table
from loyalty_stream.wire import decode as wire

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Watch = Callable[[PointEvent], object]


class Reward(msgspec.Struct, frozen=True, array_like=True):
    """A reward for a referrer, and the time (ms) of the partition that sent it then: it comes no earlier."""

    command: GrantPoints
    clock: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What others tell a customer: answers of owners, wins in draws, rewards for referring somebody.

    A request that is not in `given` is granted in full; one with None is never answered.
    """

    given: Mapping[str, int | None] = field(default_factory=dict)
    wins: Mapping[str, EntryWon] = field(default_factory=dict)
    rewards: Mapping[str, Reward] = field(default_factory=dict)


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """What a customer's history told others, in its order (`number`) at the partition's time `clock` (ms).

    A `request` to an owner or a `reward` for a referrer: `value` is its JSON. `answered`: of the time before the rules
    change, `value` is the id of a request that got `given`.
    """

    clock: int
    number: int
    kind: Literal["request", "reward", "answered"]
    value: bytes
    given: int = 0


@dataclass(slots=True)
class Outcome:
    """A customer's account in the end, and what they told others on the way."""

    customer: str
    account: Account
    sent: list[Sent]
    refused: int
    """Facts that were set aside."""


def replay(
    customer: str, turns: list[Turn], rules: Rules, ends: Mapping[int, int], told: Told, watch: Watch
) -> Outcome:
    """Decide a customer's turns again; `watch` sees every event. `ends`: partition -> the time (ms) to go on to.

    Who has no turns may be told something all the same, as for having referred somebody.
    """
    life = _Life(customer, rules, told, watch)
    end = ends.get(turns[0].partition, 0) if turns else max(ends.values())
    turns = life.fold_past(turns)
    life.expect(turns)
    for turn in turns:
        life.take(turn)
    life.end(end)
    return Outcome(life.customer, life.account, life.sent, life.refused)


class _Life:
    """One customer's account, as it is replayed."""

    def __init__(self, customer: str, rules: Rules, told: Told, watch: Watch) -> None:
        self.customer = customer
        self.account = Account()
        self.sent: list[Sent] = []
        self.refused = 0
        self._key = customer.encode()
        self._rules = rules
        self._told = told
        self._watch = watch
        self._clock = 0
        self._cut = 0
        self._expected: set[str] = set()
        """What comes at a turn that the ledger gave it, and not right away."""
        self._open: dict[str, PointEvent] = {}
        """Requests that are not answered yet, with the events that asked."""
        self._new: list[tuple[int, GrantPoints | EntryWon]] = []
        """What is new and when (ms) it comes, in that order."""

    # -- history as it was -------------------------------------------------------------------------------

    def fold_past(self, turns: list[Turn]) -> list[Turn]:
        """Fold the point events of before the rules change; returns the turns that are to be decided."""
        past = [turn for turn in turns if turn.kind == EVENT]
        rest = turns[len(past) :]
        while past and past[-1].source == CUT_IN_TWO:
            past.pop()  # its cause is decided whole, under the new rules
        seen: set[str] = set()
        for turn in past:
            if turn.id in seen:
                continue  # published again by a broker without transactions
            seen.add(turn.id)
            event = event_of(turn)
            fold(self.account, event)
            self._clock = max(self._clock, min(turn.at_us // 1000, turn.stamped))
            self._watch(event)
            self._tell(event, past=True)
        self._cut = past[-1].place + 1 if past else 0
        return rest

    def expect(self, turns: list[Turn]) -> None:
        """See what the ledger applied at a turn of its own. What is new comes as soon as its time has come."""
        self._expected = {turn.id for turn in turns if turn.kind in (ANSWER, WIN, REWARD)}
        told = self._told
        new: list[tuple[int, GrantPoints | EntryWon]] = [
            (max(each.clock, calendar.to_ms(each.command.time)), each.command)
            for name, each in told.rewards.items()
            if name not in self._expected
        ]
        new += [
            (calendar.to_ms(each.time), each)
            for name, each in told.wins.items()
            if name not in self._expected
        ]
        self._new = sorted(new, key=_when_and_id)
        for request_id in [name for name in self._open if name not in self._expected]:
            self._answer(request_id)

    # -- turns -------------------------------------------------------------------------------------------

    def take(self, turn: Turn) -> None:
        """Let time come to the turn, with all that is new until then, and apply it."""
        self._clock = max(self._clock, turn.clock)
        if self._new:
            self._apply_new(self._clock)
        if turn.kind == FACT:
            if turn.place < 0 or turn.place >= self._cut:
                self._fact(turn)
        elif turn.kind == ANSWER:
            if turn.id in self._open:
                self._answer(turn.id)
        else:
            said: GrantPoints | EntryWon | None = self._told.wins.get(turn.id)
            if turn.kind == REWARD and (reward := self._told.rewards.get(turn.id)) is not None:
                said = reward.command
            if said is not None:
                self._apply(said, calendar.to_ms(said.time))

    def end(self, end: int) -> None:
        """All that is new and has not come yet, and what falls due by `end` (ms)."""
        self._apply_new(ALWAYS)
        if expiry.may_be_due(self.account, self._rules, end):
            self._keep(expiry.settle(self.account, self.customer, self._rules, end))

    def _apply_new(self, until: int) -> None:
        while self._new and self._new[0][0] <= until:
            when, said = self._new.pop(0)
            self._clock = max(self._clock, when)
            self._apply(said, calendar.to_ms(said.time))

    def _fact(self, turn: Turn) -> None:
        fact = fact_of(turn)
        at = turn.at_us // 1000
        if _ENTRANCE.unfit(self._rules, self._clock, self._key, wire.Decoded(fact, at), is_new=False):
            self.refused += 1
            return
        if (time := min(at, turn.stamped)) > self._clock:
            self._clock = time
        self._apply(fact, at)

    def _apply(self, fact: Incoming | Answer, at: int) -> None:
        account, rules, clock = self.account, self._rules, self._clock
        if at > clock and fact.source == SOURCE:
            clock = self._clock = at  # an answer, or a command of our own
        if expiry.may_be_due(account, rules, clock):
            self._keep(expiry.settle(account, self.customer, rules, clock))
        if fact.__class__ is OrderRefunded and beyond(account, fact) is not None:
            self.refused += 1
            return
        self._keep(decide.apply(account, fact, rules, clock, at=at))

    def _keep(self, events: list[PointEvent]) -> None:
        for event in events:
            self._watch(event)
            if event.data.note.__class__ in TELLING_NOTES or event.type == "draw-entered":
                self._tell(event, past=False)
        if self._open:
            for request_id in [name for name in self._open if name not in self._expected]:
                if request_id in self._open:
                    self._answer(request_id)

    # -- others ------------------------------------------------------------------------------------------

    def _tell(self, event: PointEvent, *, past: bool) -> None:
        note = event.data.note
        if isinstance(note, AskNote):
            self._open[note.request_id] = event
        elif isinstance(note, AnswerNote):
            self._open.pop(note.request_id, None)
            if past:
                self._answered_in_the_past(note)
        _OUTBOX.tell(event)
        for topic, _, outputs in _CONTEXT.written():
            for _, value, _ in outputs:
                assert value is not None  # an event of ours
                kind: Literal["request", "reward"] = "reward" if topic == _REWARDS_TOPIC else "request"
                self.sent.append(Sent(self._clock, len(self.sent), kind, value))
        _CONTEXT.clear()

    def _answered_in_the_past(self, note: AnswerNote) -> None:
        value = note.request_id.encode()
        self.sent.append(Sent(self._clock, len(self.sent), "answered", value, note.given))

    def _answer(self, request_id: str) -> None:
        event = self._open.pop(request_id)
        note = event.data.note
        assert isinstance(note, AskNote)  # so it was kept
        given = self._told.given.get(request_id, note.quantity)
        if given is None:
            return
        answer = AllocationAnswered(
            specversion="1.0",
            id=f"{request_id}:answered",
            source=SOURCE,
            subject=self.customer,
            time=event.time,
            data=AllocationAnsweredData(
                request_id=request_id, resource=note.resource, asked=note.quantity, given=given
            ),
        )
        self._apply(answer, calendar.to_ms(event.time))


def _when_and_id(new: tuple[int, GrantPoints | EntryWon]) -> tuple[int, str]:
    return new[0], new[1].id


_ENTRANCE: Final = Admission(0, 1)
_CONTEXT: Final = Context(0, Table(EntryCodec(), 1))
_OUTBOX: Final = Outbox(Settings(), 1, _CONTEXT)
_REWARDS_TOPIC: Final = Settings().topic("points-commands")
