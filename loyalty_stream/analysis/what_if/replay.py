"""One customer's history decided again under some rules: a pure function of turns, rules and what others answer.

What the ledger does for an account is done here without tables, transactions and encodings. It must not know who
answers, nor what becomes of the events.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from loyalty_stream.analysis.what_if.told import FactFailedError, Outcome, Sent, Told
from loyalty_stream.analysis.what_if.turns import ANSWER, EVENT, FACT, REWARD, WIN, Turn, event_of
from loyalty_stream.app.account_table import MAX_ACCOUNT_POINTS, EntryCodec
from loyalty_stream.app.admission import Admission, beyond
from loyalty_stream.app.outbox import TELLING_NOTES, Outbox
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import calendar, decide, expiry
from loyalty_stream.domain.account import Account, imbalance
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
from loyalty_stream.wire.decoded import Decoded

Watch = Callable[[list[PointEvent]], object]


def replay(
    customer: str,
    turns: list[Turn],
    rules: Rules,
    ends: Mapping[int, int],
    told: Told,
    watch: Watch,
    passed_over: frozenset[int] = frozenset(),
) -> Outcome:
    """Decide a customer's turns again; `watch` sees all events. `ends`: partition -> the time (ms) to go on to.

    Who has no turns may be told something all the same, as for having referred somebody. Raises FactFailedError, the
    same each time, for a fact that cannot be applied; it can be named in `passed_over` then, as the ledger does.
    """
    life = _Life(customer, rules, told, watch, passed_over)
    end = ends.get(turns[0].partition, 0) if turns else max(ends.values())
    turns = life.fold_past(turns)
    life.expect(turns)
    for turn in turns:
        life.take(turn)
    life.end(end)
    return Outcome(life.account, life.sent, life.refused, life.failed)


class _Life:
    """One customer's account, as it is replayed."""

    def __init__(
        self, customer: str, rules: Rules, told: Told, watch: Watch, passed_over: frozenset[int]
    ) -> None:
        self.customer = customer
        self.account = Account()
        self.sent: list[Sent] = []
        self.refused = 0
        self.failed = 0
        self._key = customer.encode()
        self._rules = rules
        self._told = told
        self._watch = watch
        self._passed_over = passed_over
        self._applied = 0
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
        while past and past[-1].cut_in_two:
            past.pop()  # its cause is decided whole, under the new rules
        seen: set[str] = set()
        for turn in past:
            if turn.id in seen:
                continue  # published again by a broker without transactions
            seen.add(turn.id)
            event = event_of(turn)
            fold(self.account, event)
            self._clock = max(self._clock, min(turn.at_us // 1000, turn.stamped))
            self._watch([event])
            self._tell(event, past=True)
        self._cut = past[-1].place + 1 if past else 0
        return rest

    def expect(self, turns: list[Turn]) -> None:
        """See what the ledger applied at a turn of its own. What is new comes as soon as its time has come."""
        self._expected = {turn.id for turn in turns if turn.kind in (ANSWER, WIN, REWARD)}
        told = self._told
        if told.rewards or told.wins:
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
        self._answer_all(self._not_expected())

    # -- turns -------------------------------------------------------------------------------------------

    def take(self, turn: Turn) -> None:
        """Let time come to the turn, with all that is new until then, and apply it."""
        clock = turn.clock
        self._clock = max(self._clock, clock)
        if self._new:
            self._apply_new(self._clock)
        kind = turn.kind
        if kind == FACT:
            if turn.place < 0 or turn.place >= self._cut:
                self._fact(turn)
        elif kind == ANSWER:
            self._answer_all((turn.id,))
        else:
            said: GrantPoints | EntryWon | None = self._told.wins.get(turn.id)
            if kind == REWARD and (reward := self._told.rewards.get(turn.id)) is not None:
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
        fact = turn.fact
        assert fact is not None  # of a turn of this kind
        at = turn.at_us // 1000
        if _ENTRANCE.unfit(self._rules, self._clock, self._key, Decoded(fact, at), is_new=False) is not None:
            self.refused += 1
            return
        time = min(at, turn.stamped)
        self._clock = max(self._clock, time)
        self._apply(fact, at)

    def _apply(self, fact: Incoming | Answer, at: int) -> None:
        account, rules, clock = self.account, self._rules, self._clock
        if at > clock and fact.source == SOURCE:
            clock = self._clock = at  # an answer, or a command of our own
        if expiry.may_be_due(account, rules, clock):
            self._keep(expiry.settle(account, self.customer, rules, clock))
        number = self._applied
        self._applied = number + 1
        if number in self._passed_over:
            self.failed += 1
            return
        try:
            if fact.__class__ is OrderRefunded and beyond(account, fact) is not None:
                self.refused += 1
                return
            # What may be due has just been done, so nothing is until the next millisecond.
            events = decide.apply(account, fact, rules, clock, at=at, quiet_until=clock + 1)
            if (
                imbalance(account)
                or account.granted > MAX_ACCOUNT_POINTS
                or account.restored > MAX_ACCOUNT_POINTS
            ):
                raise ValueError("the ledger keeps no such account")  # noqa: TRY301 - one way out for whatever fails
        except Exception as error:
            raise FactFailedError(number) from error
        self._keep(events)

    def _keep(self, events: list[PointEvent]) -> None:
        if not events:
            return
        self._watch(events)
        for event in events:
            if event.data.note.__class__ in TELLING_NOTES or event.type == "draw-entered":
                self._tell(event, past=False)
        if self._open:
            self._answer_all(self._not_expected())

    # -- others ------------------------------------------------------------------------------------------

    def _tell(self, event: PointEvent, *, past: bool) -> None:
        note = event.data.note
        if isinstance(note, AskNote):
            self._open[note.request_id] = event
        elif isinstance(note, AnswerNote):
            self._open.pop(note.request_id, None)
            if past:
                self._answered_in_the_past(note)
        _OUTBOX.tell(event, self._clock)
        for topic, _, outputs in _CONTEXT.written():
            for _, value, _ in outputs:
                assert value is not None  # an event of ours
                kind: Literal["request", "reward"] = "reward" if topic == _REWARDS_TOPIC else "request"
                self.sent.append(Sent(self._clock, len(self.sent), kind, value))
        _CONTEXT.clear()

    def _answered_in_the_past(self, note: AnswerNote) -> None:
        value = note.request_id.encode()
        self.sent.append(Sent(self._clock, len(self.sent), "answered", value, note.given))

    def _not_expected(self) -> list[str]:
        return [name for name in self._open if name not in self._expected]

    def _answer_all(self, request_ids: Iterable[str]) -> None:
        for request_id in request_ids:
            if request_id in self._open:
                self._answer(request_id)

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
