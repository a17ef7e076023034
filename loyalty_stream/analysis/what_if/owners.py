"""What is limited across customers, served anew: budgets, stock and draws, by the owner that the workers run.

Requests are served in the order of their partitions' times. Where exactly the requests were made that history has,
the answers are those that history has, as if nobody had asked again. It must not know any account.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from loyalty_stream.analysis.what_if.told import Reward, Sent
from loyalty_stream.analysis.what_if.turns import Asked
from loyalty_stream.app.allocation import REQUEST, RESOURCE, AllocationStage
from loyalty_stream.app.allocation_counts import AllocationSink
from loyalty_stream.app.by_hand import Line, StageByHand
from loyalty_stream.app.draw_owner import refuse_seed
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import allocation_book, allocations, calendar, draws
from loyalty_stream.domain.allocation_records import Given, Served
from loyalty_stream.domain.announcements import DrawSeedRevealed
from loyalty_stream.domain.campaign_book import ALWAYS
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.facts import AllocationAnswered, EntryWon, GrantPoints
from loyalty_stream.domain.owner_requests import AllocationRequested, OwnerRequest, PassedData, TimePassed
from loyalty_stream.domain.rules import Rules
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire.allocations import decode_answer, decode_request, encode_request

_read_reward = msgspec.json.Decoder(GrantPoints).decode
_CACHED = 1 << 30
"""States stay decoded: nothing is stored."""


@dataclass(slots=True)
class Answers:
    """What all customers are told by others, by request, message and command."""

    given: dict[str, int | None] = field(default_factory=dict)
    asker: dict[str, str] = field(default_factory=dict)
    """Request id -> who asked."""
    wins: dict[str, EntryWon] = field(default_factory=dict)
    rewards: dict[str, Reward] = field(default_factory=dict)
    quantity: dict[str, int] = field(default_factory=dict)
    """Request id -> how much was asked for."""


def serve(
    sent: Mapping[str, Iterable[Sent]],
    rules: Rules,
    asked: Mapping[str, Asked],
    revealed: Iterable[wire.Decoded],
    end: int,
) -> Answers:
    """Answer what the customers sent, by customer. `asked`: what history has; `end`: the time (ms) that all reached."""
    in_order = sorted(
        (each.clock, customer, each.number, each) for customer, all_ in sent.items() for each in all_
    )
    answers = Answers()
    requests: list[tuple[int, OwnerRequest]] = []
    settled: dict[str, int] = {}
    for clock, _, _, each in in_order:
        if each.kind == "reward":
            reward = _read_reward(each.value)
            answers.rewards.setdefault(reward.id, Reward(reward, clock))
        elif each.kind == "answered":
            settled[each.value.decode()] = each.given
        else:
            request = decode_request(each.value)
            requests.append((clock, request))
    as_it_was = _as_it_was([request for _, request in requests], asked)
    owner = _Owner(rules, answers, revealed)
    for clock, request in _with_ends_of_draws(requests, rules, end):
        owner.come_to(clock)
        if isinstance(request, AllocationRequested):
            answers.asker[request.id] = request.data.customer
            answers.quantity[request.id] = request.data.quantity
            if request.id in settled:
                owner.settled(request, settled[request.id])
                continue
            if request.subject in as_it_was:
                answers.given[request.id] = asked[request.id].given
                continue
        elif request.subject in as_it_was:
            continue
        owner.serve(request)
    owner.come_to(ALWAYS)  # seeds are heard by all, however far their own times have come
    return answers


def _as_it_was(requests: Iterable[OwnerRequest], asked: Mapping[str, Asked]) -> set[str]:
    """The resources of which exactly that is asked which history asked."""
    now: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for request in requests:
        if isinstance(request, AllocationRequested):
            now[request.subject][request.id] = (request.data.quantity, request.data.limit)
    then: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for request_id, each in asked.items():
        then[each.resource][request_id] = (each.quantity, each.limit)
    return {resource for resource, those in now.items() if then.get(resource) == those}


def _with_ends_of_draws(
    requests: list[tuple[int, OwnerRequest]], rules: Rules, end: int
) -> Iterable[tuple[int, OwnerRequest]]:
    """The requests, and between them that the time of all partitions has passed the ends of draws."""
    ends = [(at, campaign_id) for at, campaign_id in draws.ends(rules.book) if at <= end]
    for clock, request in requests:
        while ends and ends[0][0] <= clock:
            yield _passed(*ends.pop(0))
        yield clock, request
    for each in ends:
        yield _passed(*each)


def _passed(at: int, campaign_id: str) -> tuple[int, OwnerRequest]:
    return at, TimePassed(
        id=f"{campaign_id}:0:{at}",
        subject=allocations.draw_of(campaign_id),
        time=calendar.to_datetime(at),
        data=PassedData(campaign_id=campaign_id, partition=0),
    )


class _Owner:
    """The workers' own allocation stage, as one partition that owns everything."""

    def __init__(self, rules: Rules, answers: Answers, revealed: Iterable[wire.Decoded]) -> None:
        settings = Settings()
        self._rules = rules
        self._answers = answers
        self._owner = StageByHand(AllocationStage(settings, rules, 1, AllocationSink()), _CACHED)
        self._seeds = [each for each in revealed if isinstance(each.fact, DrawSeedRevealed)]
        self._campaigns_topic = settings.topic("campaigns")

    def come_to(self, clock: int) -> None:
        """Hear the seeds that were revealed by then, and draw."""
        while self._seeds and self._seeds[0].at_ms <= clock:
            fact = self._seeds.pop(0).fact
            assert isinstance(fact, DrawSeedRevealed)  # no other is kept
            if refuse_seed(fact, self._rules) is None:
                value = msgspec.json.encode(fact)
                self._owner.processor.heard(self._campaigns_topic, Line(0, fact.subject.encode(), value))
            self._draw()

    def serve(self, request: OwnerRequest) -> None:
        self._owner.processor.process("", Line(0, b"", encode_request(request)), request)
        if isinstance(request, TimePassed):
            self._draw()
        self._take_answers()

    def settled(self, request: AllocationRequested, given: int) -> None:
        """What history has answered before the rules change."""
        table = self._owner.table
        table.touch(
            REQUEST + request.id.encode(),
            Served(given, allocation_book.bucket_of(calendar.to_ms(request.time))),
        )
        key = RESOURCE + request.subject.encode()
        together: Given = table.get(key) or Given()
        together.quantity += given
        table.touch(key, together)

    def _draw(self) -> None:
        while self._owner.processor.proceed():
            pass
        self._take_answers()

    def _take_answers(self) -> None:
        for _, _, outputs in self._owner.context.written():
            for _, value, _ in outputs:
                answer = decode_answer(value)
                if isinstance(answer, EntryWon):
                    self._answers.wins[answer.id] = answer
                elif isinstance(answer, AllocationAnswered):
                    assert answer.source == SOURCE
                    self._answers.given[answer.data.request_id] = answer.data.given
        self._owner.context.clear()
