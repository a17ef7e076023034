"""The allocation stage: the one owner of each thing that is limited across customers (ARCHITECTURE.md).

Requests come keyed by the thing and are served in their order; what is given, and to which request, is the table.
It knows no rule but the terms of draws: a request tells how much there is in all.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, assert_never

import msgspec

from loyalty_stream import __version__
from loyalty_stream.app.allocation_counts import AllocationSink
from loyalty_stream.app.campaign_topic import LiveRules
from loyalty_stream.app.draw_owner import DrawOwner
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import allocation_book, calendar
from loyalty_stream.domain.allocation_records import Given, Served
from loyalty_stream.domain.announcements import Announcement, DrawSeedRevealed
from loyalty_stream.domain.draw_book import Draw, Entrant
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.facts import AllocationAnswered, AllocationAnsweredData, Answer
from loyalty_stream.domain.owner_requests import (
    AllocationRequested,
    AllocationReturned,
    EntrantErased,
    EntryMade,
    EntryWithdrawn,
    OwnerRequest,
    TimePassed,
)
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import Record
from loyalty_stream.engine.stage import Context, Decoded
from loyalty_stream.engine.table import Codec
from loyalty_stream.wire import allocations
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.dead_letter import Place, dead_letter
from loyalty_stream.wire.reasons import Reason

NAME: Final = "allocation"
RESOURCE: Final = b"resource\n"
REQUEST: Final = b"request\n"
SLICE_REQUESTS: Final = 5_000
"""Old requests that are forgotten in one go, some 10 ms."""

State: TypeAlias = Given | Served | Entrant | Draw


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final[Callable[[bytes], State]] = msgspec.msgpack.Decoder(State).decode


class StateCodec:
    """How the owner's states are stored."""

    def encode(self, state: State) -> bytes:
        return _encode(state)

    def decode(self, value: bytes) -> State:
        return _decode(value)


class AllocationStage:
    """What the engine drives, beside the ledger. `partitions` is the number that every topic has."""

    name = NAME
    codec = StateCodec()
    side_tables: Mapping[str, Codec] = {}

    def __init__(self, settings: Settings, rules: Rules, partitions: int, counts: AllocationSink) -> None:
        self.rules = rules
        self.partitions = partitions
        self.requests_topic = settings.topic("allocation-requests")
        self.answers_topic = settings.topic("allocation-answers")
        self.campaigns_topic = settings.topic("campaigns")
        self.dead_letters_topic = settings.topic("dead-letters")
        self.changelog = settings.changelog_of(NAME)
        self.count_sink = counts

    @property
    def inputs(self) -> Sequence[str]:
        return (self.requests_topic,)

    @property
    def broadcasts(self) -> Sequence[str]:
        return (self.campaigns_topic,)

    def processor(self, context: Context) -> "AllocationProcessor":
        return AllocationProcessor(self, context)


class AllocationProcessor:
    """One partition of the stage."""

    def __init__(self, stage: AllocationStage, context: Context) -> None:
        self.time = 0
        self._stage = stage
        self._table = context.table
        self._context = context
        self._dead = context.output(stage.dead_letters_topic)
        self._live_rules = LiveRules(stage.rules)
        self._draws = DrawOwner(context.table, stage.partitions, self._answer)
        self._forgotten_bucket = 0
        """Requests from before it are forgotten."""
        self._old: list[bytes] = []
        """Requests still to be forgotten."""
        self._answers: Counter[str] = Counter()
        self._left: dict[str, int] = {}

    # -- what the engine calls --------------------------------------------------------------------------

    def restored(self) -> None:
        self._draws.restored()

    def decode(self, topic: str, record: Record) -> Decoded:
        del topic  # there is one
        try:
            request = allocations.decode_request(record.value)
        except allocations.UnreadableError as error:
            return 0, error
        return calendar.to_ms(request.time), request

    def process(self, topic: str, record: Record, event: OwnerRequest | allocations.UnreadableError) -> None:
        if isinstance(event, allocations.UnreadableError):
            self.refuse(topic, record, str(event))
            return
        self.time = max(self.time, calendar.to_ms(event.time))
        match event:
            case AllocationRequested():
                self._serve(event)
            case AllocationReturned():
                self._take_back(event)
            case EntryMade():
                self._draws.enter(event)
            case EntryWithdrawn():
                self._draws.withdraw(event.data)
            case EntrantErased():
                self._draws.withdraw_all(event.data)
            case TimePassed():
                time = calendar.to_ms(event.time)
                self._draws.pass_time(event.data.campaign_id, event.data.partition, time)
            case _:
                assert_never(event)

    def advance(self, time: int) -> None:
        self.time = max(self.time, time)

    def proceed(self) -> bool:
        """Draw winners, and forget requests that can be neither repeated nor returned any more."""
        drawing = self._draws.proceed(self._live_rules.current)
        return self._forget() or drawing

    def committed(self) -> None:
        self._stage.count_sink.allocated(self._answers, self._left)
        self._answers, self._left = Counter(), {}

    def heard(self, topic: str, record: Record) -> None:
        """A campaign is told of, or a draw's seed. The ledger sets aside what cannot be taken."""
        del topic  # there is one
        said = wire.decode("campaigns", record.key, record.value, record.timestamp)
        if not isinstance(said, wire.Decoded):
            return
        fact: Announcement = said.fact  # type: ignore[assignment]  # the topic takes no other
        if self._live_rules.hear(fact) and isinstance(fact, DrawSeedRevealed):
            self._draws.reveal(fact)

    def refuse(self, topic: str, record: Record, error: str) -> None:
        place = Place(topic, self._context.partition, record.offset, record.timestamp)
        letter = dead_letter(
            record.key, record.value, place, Reason.PROCESSING_FAILED, error, __version__, ()
        )
        self._dead((letter.key, letter.value, letter.headers))

    # -- stocks and budgets -----------------------------------------------------------------------------

    def _serve(self, request: AllocationRequested) -> None:
        """Answer a request; one that was answered before gets the same answer and takes nothing."""
        key = REQUEST + request.id.encode()
        data, resource = request.data, request.subject
        served: Served | None = self._table.get(key)
        if served is None:
            at = calendar.to_ms(request.time)
            given = self._given(resource)
            quantity = allocation_book.serve(given, data.quantity, data.limit, partial=data.partial)
            served = Served(quantity, allocation_book.bucket_of(at))
            self._table.touch(key, served)
            if quantity:
                self._table.touch(RESOURCE + resource.encode(), given)
            outcome = "given" if quantity == data.quantity else "cut" if quantity else "refused"
            self._answers[outcome] += 1
            self._left[resource] = max(0, data.limit - given.quantity)
        else:
            self._answers["repeated"] += 1
        answer = AllocationAnswered(
            specversion="1.0",
            id=f"{request.id}:answered",
            source=SOURCE,
            subject=data.customer,
            time=request.time,
            data=AllocationAnsweredData(
                request_id=request.id, resource=resource, asked=data.quantity, given=served.given
            ),
        )
        self._answer(data.partition, answer)

    def _take_back(self, request: AllocationReturned) -> None:
        key = REQUEST + request.data.request_id.encode()
        served: Served | None = self._table.get(key)
        if served is None:
            return  # forgotten: so old that nothing can come of it
        resource = request.subject
        given = self._given(resource)
        quantity = allocation_book.take_back(given, served)
        self._table.touch(key, served)
        if quantity:
            self._table.touch(RESOURCE + resource.encode(), given)
            self._answers["returned"] += 1
            if resource in self._left:
                self._left[resource] += quantity

    def _given(self, resource: str) -> Given:
        given: Given | None = self._table.get(RESOURCE + resource.encode())
        return Given() if given is None else given

    def _answer(self, partition: int, answer: Answer) -> None:
        value = allocations.encode_answer(answer)
        self._context.emit(self._stage.answers_topic, partition, answer.subject.encode(), value)

    def _forget(self) -> bool:
        """Delete a slice of the requests from before the retention, looked for once in a bucket's time."""
        bucket = allocation_book.bucket_of(self.time - self._stage.rules.retention_ms)
        if bucket > self._forgotten_bucket and not self._old:
            self._forgotten_bucket = bucket
            for key, value in self._table.committed_items():
                if key.startswith(REQUEST) and _bucket_of(value) < bucket:
                    self._old.append(key)
        for key in self._old[:SLICE_REQUESTS]:
            self._table.delete(key)
        del self._old[:SLICE_REQUESTS]
        return bool(self._old)


def _bucket_of(value: bytes) -> int:
    served = _decode(value)
    assert isinstance(served, Served)  # by its key
    return served.asked_bucket
