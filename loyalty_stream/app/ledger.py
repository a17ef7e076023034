"""The ledger stage: facts and commands in, point events and dead letters out, one account a customer.

It joins the wire, the domain and the engine, and holds no rule of the programme.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, get_args

from mypy_extensions import mypyc_attr

from loyalty_stream import __version__
from loyalty_stream.app import admission
from loyalty_stream.app.account_table import MAX_ACCOUNT_POINTS, Entry, EntryCodec, due_of, warm
from loyalty_stream.app.admission import Admission
from loyalty_stream.app.campaign_topic import LiveRules, read
from loyalty_stream.app.draw_owner import refuse_seed
from loyalty_stream.app.ends_ahead import EndsAhead
from loyalty_stream.app.ledger_counts import Counts, CountSink
from loyalty_stream.app.notifier import TOLD_EVENTS, TOLD_NOTES, Notifier, ToldCodec
from loyalty_stream.app.outbox import TELLING_NOTES, Outbox
from loyalty_stream.app.settings import INPUTS, Settings
from loyalty_stream.app.start_slices import TIMER, CampaignStarts, ProgressCodec
from loyalty_stream.domain import (
    calendar,
    campaign_starts,
    decide,
    expiry,
    orders,
)
from loyalty_stream.domain.account import Account, imbalance
from loyalty_stream.domain.announcements import Announcement, DrawSeedRevealed
from loyalty_stream.domain.events import EVENT_TYPE, SOURCE, Cause, PointEvent
from loyalty_stream.domain.facts import (
    Answer,
    Incoming,
    OrderRefunded,
)
from loyalty_stream.domain.notes import AskNote, DroppedNote
from loyalty_stream.domain.rules import Campaign, Rules
from loyalty_stream.engine.log import NO_HEADERS, Headers, Record
from loyalty_stream.engine.stage import Context, Decoded, OutputFailedError, TimerFailedError
from loyalty_stream.engine.table import Codec
from loyalty_stream.engine.timers import NEVER, Timers
from loyalty_stream.wire import allocations, point_events
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.dead_letter import Place, dead_letter
from loyalty_stream.wire.reasons import Reason

_ANNOUNCEMENTS: Final = frozenset(get_args(Announcement))
ALL_AT_ONCE: Final = 1 << 62
SLICE_ACCOUNTS: Final = 300
"""Reading, telling and storing one takes tens of microseconds, so some 10 ms; then others get their turn."""

_MOVES_POINTS: Final = frozenset(
    name for kind, name in EVENT_TYPE.items() if "points" in kind.__struct_fields__
)
_TELLING_NOTES: Final = TELLING_NOTES | TOLD_NOTES
_TELLING_EVENTS: Final = TOLD_EVENTS | {"draw-entered"}
"""Of all others, which are most, nobody is told: one look at the note and one at the type are all that it costs."""
NO_OFFSET: Final = -1
"""Of a dead letter whose record had been applied, as waiting, before it proved wrong."""


class UnbalancedAccountError(Exception):
    """An account broke the law of conservation: a defect of the domain. Nothing of it is committed."""


class TooManyPointsError(Exception):
    """An account would hold more points than its encoding can: an absurd programme or order. Nothing is committed."""


class Waited(NamedTuple):
    """A record that waited in an account: its text and the account's key are all that is left of it."""

    key: bytes
    value: bytes
    offset: int = NO_OFFSET
    timestamp: int | None = None
    headers: Headers = NO_HEADERS


@mypyc_attr(allow_interpreted_subclasses=True)  # of pseudonyms and simulate
class LedgerStage:
    """What the engine drives. `partitions` is the number that every input topic has."""

    name = "ledger"
    codec = EntryCodec()

    def __init__(self, settings: Settings, rules: Rules, partitions: int, counts: CountSink) -> None:
        self.rules = rules
        self.partitions = partitions
        self.kinds = {settings.topic(kind): kind for kind in INPUTS}
        self.events_topic = settings.topic("points-events")
        self.orders_topic = settings.topic("orders")
        self.dead_letters_topic = settings.topic("dead-letters")
        self.commands_topic = settings.topic("points-commands")
        self.campaigns_topic = settings.topic("campaigns")
        self.answers_topic = settings.topic("allocation-answers")
        self.notifications_topic = settings.topic("notifications")
        self.settings = settings
        self.changelog = settings.changelog
        self.starts_changelog = settings.campaign_starts
        self.told_changelog = settings.told
        self.slice_accounts = SLICE_ACCOUNTS
        """How many accounts are told of a campaign's start in one go; a replay by hand takes all."""
        self.count_sink = counts

    @property
    def inputs(self) -> Sequence[str]:
        return (*self.kinds, self.answers_topic)

    @property
    def broadcasts(self) -> Sequence[str]:
        return (self.campaigns_topic,)

    @property
    def side_tables(self) -> Mapping[str, Codec]:
        return {self.starts_changelog: ProgressCodec(), self.told_changelog: ToldCodec()}

    def processor(self, context: Context) -> "LedgerProcessor":
        return LedgerProcessor(self, context)


@mypyc_attr(allow_interpreted_subclasses=True)
class LedgerProcessor:
    """One partition of the ledger."""

    def __init__(self, stage: LedgerStage, context: Context) -> None:
        self.time = 0
        self._stage = stage
        self._rules = stage.rules
        self._live_rules = LiveRules(stage.rules)
        self._behind = False
        """Something was heard that is not in the rules yet."""
        self._kinds = stage.kinds
        self._table = context.table
        self._partition = context.partition
        self._admission = Admission(context.partition, stage.partitions)
        self._pen = context.pen(stage.events_topic, point_events.encode)
        self._context = context
        self._dead = context.output(stage.dead_letters_topic)
        self._answers_topic = stage.answers_topic
        self._outbox = Outbox(stage.settings, stage.partitions, context)
        self._notifier = Notifier(
            context.side_tables[stage.told_changelog], context.output(stage.notifications_topic)
        )
        self._ends = EndsAhead(self._outbox, stage.rules)
        self._timers = Timers()
        self._starts = CampaignStarts(context.side_tables[stage.starts_changelog])
        self._counts = Counts()

    # -- what the engine calls --------------------------------------------------------------------------

    def restored(self) -> None:
        for key, value in self._table.committed_items():
            if (due := due_of(value)) != NEVER:
                self._timers.schedule(key, due)
        self._starts.restored()
        self._starts.schedule(self._rules.book, self._timers)
        self._ends.watch(self._rules.book, self.time)

    def decode(self, topic: str, record: Record) -> Decoded:
        if topic == self._answers_topic:
            return _decode_answer(record)
        decoded = wire.decode(self._kinds[topic], record.key, record.value, record.timestamp)
        if isinstance(decoded, wire.Decoded):
            return decoded.at_ms, decoded
        return 0, decoded

    def process(self, topic: str, record: Record, event: wire.Decoded | wire.Refused) -> None:
        # Once for every record: what most events do not need is asked before it is called.
        # Not asked the other way round: for a class that it is not, `isinstance` takes thirty times as long.
        if not isinstance(event, wire.Decoded):
            self._set_aside(topic, record, event.code, event.message)
            return
        if self._behind:
            self._learn()
        if type(event.fact) in _ANNOUNCEMENTS:
            self._announced(topic, record, event)
            return
        key = record.key
        assert key is not None  # the decoder has compared it with the subject
        entry: Entry | None = self._table.get(key)
        if topic != self._answers_topic:
            unfit = self._admission.unfit(self._rules, self.time, key, event, is_new=entry is None)
            if unfit is not None:
                self._set_aside(topic, record, *unfit)
                return
        at = event.at_ms
        self._move_to(at, record.timestamp)
        if entry is None:
            entry = Entry(Account(), NEVER)
        else:
            warm(entry)
        if entry.scheduled is None:
            entry.scheduled = self._next_due(entry)
        fact: Incoming | Answer = event.fact  # type: ignore[assignment]  # admission has let no other through
        if type(fact) is OrderRefunded and (why := admission.beyond(entry.account, fact)) is not None:
            self._set_aside(topic, record, Reason.REFUSED_REFUND, why)
            return
        taken, kind = self._counts.events_in, type(fact)
        taken[kind] = taken.get(kind, 0) + 1
        account, now = entry.account, self.time
        events = decide.apply(account, fact, self._rules, now, at=at, quiet_until=entry.scheduled)
        if events:
            self._record(key, entry, events)
        else:
            self._counts.duplicates += 1

    def advance(self, time: int) -> None:
        """Do what falls due up to `time`, over all accounts in the order of its instant."""
        if self._behind:
            self._learn()
        timers = self._timers
        while (entry := timers.pop(time, self._due_of)) is not None:
            due, key = entry
            self.time = max(self.time, due)
            if key.startswith(TIMER):
                self._starts.begin(key, due, self._rules.book, self.time)
                while self._stage.slice_accounts == ALL_AT_ONCE and self.proceed():
                    pass
                continue
            try:
                self._settle(key, self.time)  # a hold's end can free points that fell due before it
            except OutputFailedError:
                raise  # perhaps of a record before it
            except Exception as error:
                raise TimerFailedError(
                    f"what falls due for customer {key.decode()} at {due} ms: {error!r}"
                ) from error
        self.time = max(self.time, time)
        if self._ends.next <= self.time:
            self._ends.tell(self.time)

    def proceed(self) -> bool:
        """Tell the next accounts of a campaign's start."""
        if not self._starts.busy:
            return False
        rules = self._rules
        campaign_id, due, keys = self._starts.take(self._table, self._stage.slice_accounts)
        campaign = campaign_starts.running(rules.book, campaign_id, due)
        for key in keys if campaign is not None else ():
            entry: Entry | None = self._table.get(key)
            if entry is not None and campaign is not None:
                events = campaign_starts.announce(entry.account, key.decode(), campaign, rules, due)
                if events:
                    self._record(key, entry, events)
        return True

    def committed(self) -> None:
        self._stage.count_sink.add(self._partition, self._counts)
        self._counts = Counts()

    def heard(self, topic: str, record: Record) -> None:
        """A campaign is published or withdrawn. What is wrong is set aside by `process`, on one partition only."""
        del topic  # there is one
        said = wire.decode("campaigns", record.key, record.value, record.timestamp)
        if isinstance(said, wire.Decoded):
            fact: Announcement = said.fact  # type: ignore[assignment]  # the topic takes no other
            self._live_rules.hear(fact)
            self._behind = True

    def refuse(self, topic: str, record: Record, error: str) -> None:
        self._set_aside(topic, record, Reason.PROCESSING_FAILED, error)

    # -- one event --------------------------------------------------------------------------------------

    def _move_to(self, at: int, timestamp: int | None) -> None:
        """An event moves the partition's time, but not past the broker's clock: a wrong one moves nobody's holds."""
        time = at if timestamp is None or at <= timestamp else timestamp
        if time > self.time:
            if self._timers.earliest <= time:
                self.advance(time)
            self.time = time
            if self._ends.next <= time:
                self._ends.tell(time)

    def _learn(self) -> None:
        self._rules = self._live_rules.current
        self._behind = False
        self._starts.schedule(self._rules.book, self._timers)
        self._ends.watch(self._rules.book, self.time)

    def _announced(self, topic: str, record: Record, event: wire.Decoded) -> None:
        """An announcement in its own partition's turn. What it says was heard from all partitions already."""
        fact: Announcement = event.fact  # type: ignore[assignment]  # asked before
        said = read(fact, self._stage.rules)
        if isinstance(said, DrawSeedRevealed) and (why := refuse_seed(said, self._rules)) is not None:
            said = (Reason.REFUSED_SEED, why)
        elif isinstance(said, Campaign):
            said = self._live_rules.refuse(fact, said) or said
        if isinstance(said, tuple):
            self._set_aside(topic, record, *said)
            return
        self._move_to(event.at_ms, record.timestamp)
        taken = self._counts.events_in
        taken[type(fact)] = taken.get(type(fact), 0) + 1

    def _next_due(self, entry: Entry) -> int:
        due = expiry.next_due(entry.account, self._rules)
        return NEVER if due is None else due

    def _record(self, key: bytes, entry: Entry, events: list[PointEvent]) -> None:
        """Write the events of an account and see when it falls due next."""
        account = entry.account
        if imbalance(account):
            self._stage.count_sink.violation()
            raise UnbalancedAccountError(f"{events[-1].subject}: {imbalance(account)} points are unexplained")
        if account.granted > MAX_ACCOUNT_POINTS or account.restored > MAX_ACCOUNT_POINTS:
            # Here the record is set aside; when the table is encoded, at the commit, the partition would stop.
            raise TooManyPointsError(
                f"an account holds up to {MAX_ACCOUNT_POINTS} points, granted or restored"
            )
        pen, counts, rules = self._pen, self._counts, self._rules
        out, points = counts.events_out, counts.points
        sooner = NEVER
        for event in events:
            pen.write(key, event)
            kind, data = event.type, event.data
            out[kind] = out.get(kind, 0) + 1
            due = expiry.falls_due_after(data, rules)
            if type(data.note) in _TELLING_NOTES or kind in _TELLING_EVENTS:
                self._tell(key, event)
            if due < sooner:  # noqa: PLR1730 - min() costs a call on the hot path
                sooner = due
            if kind in _MOVES_POINTS:
                points[kind] = points.get(kind, 0) + data.points  # type: ignore[union-attr]  # as the set's name says
            elif kind == "command-rejected":
                counts.rejections[data.code] += 1  # type: ignore[union-attr]  # as its type says
            elif isinstance(data.note, DroppedNote):
                self._dropped(key, event, data.note)
        if entry.scheduled is None or sooner < entry.scheduled:
            due = self._next_due(entry)
            if entry.scheduled is None or due < entry.scheduled:
                self._timers.schedule(key, due)
                entry.scheduled = due
        # At the commit, thousands of accounts later, the order's parts would have to come from memory once more.
        orders.pack(account)
        self._table.touch(key, entry)

    def _tell(self, key: bytes, event: PointEvent) -> None:
        """Tell owners, referrers and the customer what the event says to them."""
        note, counts = type(event.data.note), self._counts
        if note in TELLING_NOTES or event.type == "draw-entered":
            self._outbox.tell(event, self.time)
            counts.asked += note is AskNote
        if event.type in TOLD_EVENTS or note in TOLD_NOTES:
            self._notifier.tell(key, event, self._rules, counts.notified)

    def _dropped(self, key: bytes, event: PointEvent, note: DroppedNote) -> None:
        """Count an event of an order that waited in vain; set a refund aside that turned out too large.

        Of a record that waited in the account only its text is left: the dead letter names no offset.
        """
        if note.event is not None and note.why is not None:
            waited = Waited(key, note.event.encode())
            self._set_aside(self._stage.orders_topic, waited, Reason.REFUSED_REFUND, note.why)
        elif isinstance(event.data.cause, Cause) and event.data.cause.source == SOURCE:
            self._counts.unmatched += 1

    def _set_aside(self, topic: str, record: Record, reason: Reason, message: str) -> None:
        place = Place(topic, self._partition, record.offset, record.timestamp)
        letter = dead_letter(
            record.key, record.value, place, reason, message, __version__, record.headers or ()
        )
        self._dead((letter.key, letter.value, letter.headers))
        self._counts.dead_letters[reason] += 1

    # -- what falls due ---------------------------------------------------------------------------------

    def _due_of(self, key: bytes) -> int | None:
        if key.startswith(TIMER):
            return self._starts.due_of(key, self._rules.book)
        entry: Entry | None = self._table.get(key)
        if entry is None:
            return None
        entry.scheduled = self._next_due(entry)  # where the timers now put it
        return None if entry.scheduled == NEVER else entry.scheduled

    def _settle(self, key: bytes, due: int) -> None:
        entry: Entry = self._table.get(key)
        entry.scheduled = NEVER  # its timer has just been taken out
        events = expiry.settle_at(entry.account, key.decode(), self._rules, due)
        self._record(key, entry, events)


def _decode_answer(record: Record) -> Decoded:
    """What another stage of ours says, which nobody else may."""
    try:
        answer = allocations.decode_answer(record.value)
    except allocations.UnreadableError as error:
        return 0, wire.Refused(Reason.MALFORMED, str(error))
    at = calendar.to_ms(answer.time)
    return at, wire.Decoded(answer, at)
