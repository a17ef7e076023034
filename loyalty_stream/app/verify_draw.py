"""Checks a draw from what is published alone: the entries, the commitment, the seed, and who won (DOMAIN.md, Draws).

Anybody who can read points-events and campaigns, or files of them, can run it; it asks no worker and no table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from loyalty_stream.app.campaign_topic import LiveRules
from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.read_log import log_reader
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.topics import partition_counts
from loyalty_stream.domain import draw_winners, draws
from loyalty_stream.domain.announcements import DrawSeedRevealed
from loyalty_stream.domain.draw_winners import Entry, Winner
from loyalty_stream.domain.events import DrawEntered, DrawWon, PointEvent
from loyalty_stream.domain.notes import AwardWithdrawnNote, ErasedNote
from loyalty_stream.domain.rules import Rules
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire import point_events
from loyalty_stream.wire.topics import ACCEPTED, type_name

_ANNOUNCEMENTS = frozenset(type_name(fact) for fact in ACCEPTED["campaigns"])


class NoDrawError(MendableError):
    """What was read tells of no such draw, or not of its seed; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class DrawReport:
    """What the published data say of a draw."""

    seed_is_right: bool
    """Its SHA-256 is the commitment."""
    commitment: str
    entries: int
    """That took part, without those taken back."""
    expected: list[Winner]
    """By the seed and the entries, in the order of the prizes."""
    published: list[Winner]
    """By the `draw-won` events, in the order of their proofs."""

    @property
    def missing(self) -> list[Winner]:
        """Who should have won and was not told."""
        return [winner for winner in self.expected if winner not in self.published]

    @property
    def unexpected(self) -> list[Winner]:
        """Who was told and should not have won."""
        return [winner for winner in self.published if winner not in self.expected]

    @property
    def holds(self) -> bool:
        return self.seed_is_right and not self.missing and not self.unexpected


class _Typed(Struct):
    type: str


_type_of = msgspec.json.Decoder(_Typed).decode


class DrawAudit:
    """Takes in published events, each partition's in its order, and says what they amount to."""

    def __init__(self, campaign_id: str, rules: Rules) -> None:
        self._campaign_id = campaign_id
        self._rules = LiveRules(rules)
        self._entries: dict[Entry, None] = {}
        self._won: dict[Entry, Winner] = {}
        self._seed: str | None = None

    def take(self, line: bytes) -> None:
        """Take in a CloudEvent of points-events or campaigns. Raises ValueError for anything else."""
        if _type_of(line).type in _ANNOUNCEMENTS:
            said = wire.decode_line(line)
            if isinstance(said, wire.Decoded):
                self._hear(said)
        else:
            self._fold(point_events.decode(line))

    def report(self, seed: str | None = None) -> DrawReport:
        """What they amount to, under `seed` or the one that was revealed. Raises NoDrawError."""
        terms = draws.terms(self._rules.current.book, self._campaign_id)
        if terms is None:
            raise NoDrawError(
                f"no campaign {self._campaign_id} with a draw is in the programme file or was published"
            )
        seed = self._seed if seed is None else seed
        if seed is None:
            raise NoDrawError(f"the seed of {self._campaign_id} was not revealed yet: give it with --seed")
        return DrawReport(
            seed_is_right=draw_winners.matches(seed, terms.seed_commitment),
            commitment=terms.seed_commitment,
            entries=len(self._entries),
            expected=draw_winners.winners(terms.prizes, self._entries, seed),
            published=sorted(self._won.values(), key=lambda winner: winner.proof),
        )

    def _hear(self, said: wire.Decoded) -> None:
        fact = said.fact
        if isinstance(fact, DrawSeedRevealed):
            terms = draws.terms(self._rules.current.book, self._campaign_id)
            right = terms is not None and draw_winners.matches(fact.data.seed, terms.seed_commitment)
            if fact.data.campaign_id == self._campaign_id and right:
                self._seed = fact.data.seed
        self._rules.hear(fact)  # type: ignore[arg-type]  # `take` lets nothing else in

    def _fold(self, event: PointEvent) -> None:
        data, customer = event.data, event.subject
        match data.note:
            case AwardWithdrawnNote() as note if note.campaign_id == self._campaign_id:
                for entry_id in note.entry_ids:
                    self._entries.pop((entry_id, customer), None)
            case ErasedNote():
                self._erase(customer)
            case _:
                pass  # nothing else takes entries back
        if isinstance(data, DrawEntered) and data.campaign_id == self._campaign_id:
            self._entries[data.entry_id, customer] = None
        elif isinstance(data, DrawWon) and data.campaign_id == self._campaign_id:
            self._won[data.entry_id, customer] = Winner(data.entry_id, customer, data.prize, data.proof)

    def _erase(self, customer: str) -> None:
        """Entries of an erased customer took no part, unless one had won before: then the draw had been held.

        Of one erased after that who had not won, it makes no difference who wins.
        """
        if not any(winner.customer == customer for winner in self._won.values()):
            for entry in [entry for entry in self._entries if entry[1] == customer]:
                del self._entries[entry]


def verify_files(campaign_id: str, seed: str | None, rules: Rules, files: Iterable[Path]) -> DrawReport:
    """Check a draw by files of events, one a line. Raises NoDrawError, OSError, and ValueError with the place."""
    audit = DrawAudit(campaign_id, rules)
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        audit.take(line)
                    except ValueError as error:
                        raise NoDrawError(f"{file}:{number}: no event of ours: {error}") from error
    return audit.report(seed)


async def verify_topics(campaign_id: str, seed: str | None, rules: Rules, settings: Settings) -> DrawReport:
    """Check a draw by the topics as they are now. Raises NoDrawError."""
    counts = await partition_counts(settings)
    names = [settings.topic("campaigns"), settings.topic("points-events")]
    if missing := [name for name in names if name not in counts]:
        raise NoDrawError(f"topics are missing on {settings.bootstrap_servers}: {', '.join(missing)}")
    audit = DrawAudit(campaign_id, rules)
    async with log_reader(settings) as reader:
        for name in names:
            for partition in range(counts[name]):
                async for records in reader.read(name, partition):
                    for record in records:
                        try:
                            audit.take(record.value or b"")
                        except ValueError as error:
                            if name == names[1]:
                                place = f"{name}-{partition}@{record.offset}"
                                raise NoDrawError(f"{place}: no event of ours: {error}") from error
    return audit.report(seed)
