"""The ledger stage: facts and commands in, point events and dead letters out, one account a customer.

It joins the wire, the domain and the engine, and holds no rule of the programme.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final, get_args

from loyalty_stream import __version__
from loyalty_stream.app.campaign_topic import LiveRules, read
from loyalty_stream.app.draw_owner import refuse_seed
from loyalty_stream.app.outbox import TELLING_NOTES, Outbox
from loyalty_stream.app.settings import INPUTS, Settings
from loyalty_stream.app.start_slices import TIMER, CampaignStarts, ProgressCodec
from loyalty_stream.domain import (
    calendar,
    campaign_starts,
    decide,
    draws,
    expiry,
    purchase,
    referral,
    refunds,
)
from loyalty_stream.domain.account import Account, imbalance
from loyalty_stream.domain.announcements import Announcement, DrawSeedRevealed
from loyalty_stream.domain.calendar import DAY_MS
from loyalty_stream.domain.events import EVENT_TYPE, SOURCE, Cause, DroppedNote, PointEvent, ReferralNote
from loyalty_stream.domain.facts import (
    MAX_AMOUNT,
    Answer,
    Fact,
    GrantPoints,
    Incoming,
    OrderPaid,
    OrderRefunded,
)
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import NO_HEADERS, Record
from loyalty_stream.engine.stage import Context, Decoded, TimerFailedError
from loyalty_stream.engine.table import Codec
from loyalty_stream.engine.timers import NEVER, Timers
from loyalty_stream.wire import account_codec, allocations, own_commands, point_events
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.dead_letter import Place, dead_letter
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.reasons import Reason

_ANNOUNCEMENTS: Final = frozenset(get_args(Announcement))
ALL_AT_ONCE: Final = 1 << 62
SLICE_ACCOUNTS: Final = 300
"""Reading, telling and storing one takes tens of microseconds, so some 10 ms; then others get their turn."""

_DUE: Final = Struct(">q")
MAX_ACCOUNT_POINTS: Final = 10**18
"""Of all grants of an account together; the integers of its encoding have 64 bits, 9.2 x 10^18."""
_MOVES_POINTS: Final = frozenset(
    name for kind, name in EVENT_TYPE.items() if "points" in kind.__struct_fields__
)
NO_OFFSET: Final = -1
"""Of a dead letter whose record had been applied, as waiting, before it proved wrong."""
OWN_COMMANDS: Final = frozenset({GrantPoints})
"""What the ledger itself puts on its input topics; it has been checked, and is never too old: nobody sends it again."""


class UnbalancedAccountError(Exception):
    """An account broke the law of conservation: a defect of the domain. Nothing of it is committed."""


class TooManyPointsError(Exception):
    """An account would hold more points than its encoding can: an absurd programme or order. Nothing is committed."""


class Entry:
    """An account in the table. `scheduled`: a timer rings at this instant (ms) or before; None: not known."""

    __slots__ = ("account", "scheduled")

    def __init__(self, account: Account, scheduled: int | None) -> None:
        self.account = account
        self.scheduled = scheduled


class EntryCodec:
    """Eight bytes of when the account falls due, then the account: a restore need not read it to schedule it."""

    def encode(self, entry: Entry) -> bytes:
        return _DUE.pack(NEVER if entry.scheduled is None else entry.scheduled) + account_codec.encode(
            entry.account
        )

    def decode(self, value: bytes) -> Entry:
        # The timer may have been moved since without a new record, so the stored instant says nothing here.
        return Entry(account_codec.decode(value[8:]), None)


class Counts:
    """What the ledger counts between two commits; the metrics take it over when it is committed."""

    __slots__ = (
        "dead_letters",
        "duplicates",
        "events_in",
        "events_out",
        "points",
        "rejections",
        "unmatched",
        "violations",
    )

    def __init__(self) -> None:
        self.events_in: Counter[type[Fact]] = Counter()
        self.events_out: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self.rejections: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.duplicates = 0
        self.unmatched = 0
        self.violations = 0


class LedgerStage:
    """What the engine drives. `partitions` is the number that every input topic has."""

    name = "ledger"
    codec = EntryCodec()

    def __init__(self, settings: Settings, rules: Rules, partitions: int, counts: "CountSink") -> None:
        self.rules = rules
        self.partitions = partitions
        self.kinds = {settings.topic(kind): kind for kind in INPUTS}
        self.events_topic = settings.topic("points-events")
        self.orders_topic = settings.topic("orders")
        self.dead_letters_topic = settings.topic("dead-letters")
        self.commands_topic = settings.topic("points-commands")
        self.campaigns_topic = settings.topic("campaigns")
        self.answers_topic = settings.topic("allocation-answers")
        self.settings = settings
        self.changelog = settings.changelog
        self.starts_changelog = settings.campaign_starts
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
        return {self.starts_changelog: ProgressCodec()}

    def processor(self, context: Context) -> "LedgerProcessor":
        return LedgerProcessor(self, context)


class CountSink:
    """Takes the counts of committed transactions; this one drops them. The metrics are another."""

    def add(self, partition: int, counts: Counts) -> None:
        """Take over the counts of one committed transaction."""

    def violation(self) -> None:
        """An account broke the law of conservation."""


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
        self._emit = context.output(stage.events_topic)
        self._context = context
        self._dead = context.output(stage.dead_letters_topic)
        self._answers_topic = stage.answers_topic
        self._outbox = Outbox(stage.settings, stage.partitions, context)
        self._draw_ends: list[tuple[int, str]] = []
        self._next_draw_end = NEVER
        """Nothing is to be told to owners of draws before the time reaches it."""
        self._timers = Timers()
        self._starts = CampaignStarts(context.side_tables[stage.starts_changelog])
        self._counts = Counts()

    # -- what the engine calls --------------------------------------------------------------------------

    def restored(self) -> None:
        for key, value in self._table.committed_items():
            due: int = _DUE.unpack_from(value)[0]
            if due != NEVER:
                self._timers.schedule(key, due)
        self._starts.restored()
        self._starts.schedule(self._rules.book, self._timers)
        self._watch_draws()

    def decode(self, topic: str, record: Record) -> Decoded:
        if topic == self._answers_topic:
            return _decode_answer(record)
        decoded = wire.decode(self._kinds[topic], record.key, record.value, record.timestamp)
        if isinstance(decoded, wire.Decoded):
            return decoded.at_ms, decoded
        return 0, decoded

    def process(self, topic: str, record: Record, event: wire.Decoded | wire.Refused) -> None:
        # Once for every record: what most events do not need is asked before it is called.
        if isinstance(event, wire.Refused):
            self._set_aside(topic, record, event.code, event.message)
            return
        if self._behind:
            self._learn()
        if event.fact.__class__ in _ANNOUNCEMENTS:
            self._announced(topic, record, event)
            return
        key = record.key
        assert key is not None  # the decoder has compared it with the subject
        entry: Entry | None = self._table.get(key)
        if topic != self._answers_topic and (unfit := self._unfit(key, entry, event)) is not None:
            self._set_aside(topic, record, *unfit)
            return
        at = event.at_ms
        self._move_to(at, record.timestamp)
        if entry is None:
            entry = Entry(Account(), NEVER)
        elif entry.scheduled is None:
            entry.scheduled = self._next_due(entry)
        fact: Incoming | Answer = event.fact  # type: ignore[assignment]  # `_unfit` has let no other through
        if fact.__class__ is OrderRefunded and (why := self._beyond(entry, fact)) is not None:
            self._set_aside(topic, record, Reason.REFUSED_REFUND, why)
            return
        self._counts.events_in[fact.__class__] += 1
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
            except Exception as error:
                raise TimerFailedError(
                    f"what falls due for customer {key.decode()} at {due} ms: {error!r}"
                ) from error
        self.time = max(self.time, time)
        if self._next_draw_end <= self.time:
            self._tell_draw_ends()

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
            if self._next_draw_end <= time:
                self._tell_draw_ends()

    def _learn(self) -> None:
        self._rules = self._live_rules.current
        self._behind = False
        self._starts.schedule(self._rules.book, self._timers)
        self._watch_draws()

    def _watch_draws(self) -> None:
        """Owners are told again of ends that have passed: they may be later than what was told before."""
        self._draw_ends = draws.ends(self._rules.book)
        self._tell_draw_ends()

    def _tell_draw_ends(self) -> None:
        """Whoever entered before the end has been told of; whoever comes now enters no more."""
        ends = self._draw_ends
        while ends and ends[0][0] <= self.time:
            self._outbox.tell_time(ends.pop(0)[1], self.time)
        self._next_draw_end = ends[0][0] if ends else NEVER

    def _announced(self, topic: str, record: Record, event: wire.Decoded) -> None:
        """An announcement in its own partition's turn. What it says was heard from all partitions already."""
        fact: Announcement = event.fact  # type: ignore[assignment]  # asked before
        said = read(fact, self._stage.rules)
        if isinstance(said, DrawSeedRevealed) and (why := refuse_seed(said, self._rules)) is not None:
            said = (Reason.REFUSED_SEED, why)
        if isinstance(said, tuple):
            self._set_aside(topic, record, *said)
            return
        self._move_to(event.at_ms, record.timestamp)
        self._counts.events_in[fact.__class__] += 1

    def _unfit(  # noqa: PLR0911 - one for each reason
        self, key: bytes, entry: Entry | None, event: wire.Decoded
    ) -> tuple[Reason, str] | None:
        """Why a sound event cannot be applied here, or None."""
        fact, rules = event.fact, self._rules
        if entry is None:
            # A key's partition never changes, so it is looked at when the account is first met.
            right = partition_of(key, self._stage.partitions)
            if right != self._partition:
                return (
                    Reason.WRONG_PARTITION,
                    f"murmur2 puts this key on partition {right} of {self._stage.partitions}",
                )
        if fact.__class__ is OrderPaid:
            if not purchase.accepts(fact.data, rules):
                return Reason.WRONG_CURRENCY, f"`$.data.currency`: the programme's is {rules.currency}"
            lines = fact.data.lines
            if len(lines) > 1 and sum([line.amount for line in lines]) > MAX_AMOUNT:
                return Reason.AMOUNT_TOO_LARGE, f"`$.data.lines`: together over {MAX_AMOUNT} minor units"
        if fact.source == SOURCE:
            if fact.__class__ in OWN_COMMANDS:
                return None
            return (
                Reason.OUT_OF_RANGE,
                f"`$.source`: {SOURCE} is what our own events say; name yours otherwise",
            )
        if decide.too_old(event.at_ms, self.time, rules):
            return (
                Reason.TOO_OLD,
                f"`$.time`: more than {rules.retention_ms // DAY_MS} days before the latest event",
            )
        return None

    def _beyond(self, entry: Entry, fact: OrderRefunded) -> str | None:
        """Why a refund is more than is left of its order by now, or None, as for one that was applied already.

        An account that has ended answers no fact, and this one neither.
        """
        account = entry.account
        if account.erased_at or decide.is_known(account, fact):
            return None
        return refunds.excess(account, fact.data)

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
        emit, counts, rules = self._emit, self._counts, self._rules
        out, points = counts.events_out, counts.points
        sooner = NEVER
        for event in events:
            emit((key, point_events.encode(event), NO_HEADERS))
            kind, data = event.type, event.data
            out[kind] += 1
            due = expiry.falls_due_after(data, rules)
            if data.note is not None and isinstance(data.note, ReferralNote):
                self._reward_referrer(event, data.note)
            if data.note.__class__ in TELLING_NOTES or kind == "draw-entered":
                self._outbox.tell(event)
            if due < sooner:  # noqa: PLR1730 - min() costs a call on the hot path
                sooner = due
            if kind in _MOVES_POINTS:
                points[kind] += data.points  # type: ignore[union-attr]  # as the set's name says
            elif kind == "command-rejected":
                counts.rejections[data.code] += 1  # type: ignore[union-attr]  # as its type says
            elif isinstance(data.note, DroppedNote):
                self._dropped(key, event, data.note)
        if entry.scheduled is None or sooner < entry.scheduled:
            due = self._next_due(entry)
            if entry.scheduled is None or due < entry.scheduled:
                self._timers.schedule(key, due)
                entry.scheduled = due
        self._table.touch(key, entry)

    def _reward_referrer(self, event: PointEvent, note: ReferralNote) -> None:
        customer, key = event.subject, note.referrer.encode()
        command = own_commands.grant_points(
            referral.command_id(customer),
            note.referrer,
            event.time,
            grant_id=referral.grant_id(customer),
            points=note.points,
            reason="referral",
        )
        partition = partition_of(key, self._stage.partitions)
        self._context.emit(self._stage.commands_topic, partition, key, command)

    def _dropped(self, key: bytes, event: PointEvent, note: DroppedNote) -> None:
        """Count an event of an order that waited in vain; set a refund aside that turned out too large.

        Of a record that waited in the account only its text is left: the dead letter names no offset.
        """
        if note.event is not None and note.why is not None:
            place = Place(self._stage.orders_topic, self._partition, NO_OFFSET, None)
            text = note.event.encode()
            self._letter(place, key, text, Reason.REFUSED_REFUND, note.why)
        elif isinstance(event.data.cause, Cause) and event.data.cause.source == SOURCE:
            self._counts.unmatched += 1

    def _letter(self, place: Place, key: bytes, value: bytes, reason: Reason, message: str) -> None:
        letter = dead_letter(key, value, place, reason, message, __version__)
        self._dead((letter.key, letter.value, letter.headers))
        self._counts.dead_letters[reason] += 1

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
