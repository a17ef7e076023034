"""The owner of draws, beside that of stocks and budgets: collects entries, waits for all partitions, draws winners.

Entries are keys of the table, so that one costs as little as another however many there are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from loyalty_stream.domain import calendar, draw_book, draw_winners, draws
from loyalty_stream.domain.announcements import DrawSeedRevealed
from loyalty_stream.domain.draw_book import Draw, Entrant
from loyalty_stream.domain.draw_winners import Entry, Ranked
from loyalty_stream.domain.draws import Terms
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.facts import EntryRefused, EntryRefusedData, EntryWon, EntryWonData
from loyalty_stream.domain.owner_requests import EntryData, EntryMade, ErasedData
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.table import Table

ENTRY: Final = b"entry\n"
DRAW: Final = b"draw\n"
SLICE_ENTRIES: Final = 3_000
"""At some 3 µs each, 10 ms: then the other partitions and the network get their turn."""

Tell = Callable[[int, EntryWon | EntryRefused], None]
"""Tells a customer on this partition that an entry has won, or takes no part."""


@dataclass(slots=True)
class _Drawing:
    """A draw that is being held: the seed, what is still to be looked at, and the best so far."""

    campaign_id: str
    revealed: DrawSeedRevealed
    terms: Terms
    keys: list[bytes]
    best: list[Ranked] = field(default_factory=list)


class DrawOwner:
    """The draws whose owner one partition of the stage is. `partitions` is the number that the ledger has."""

    def __init__(self, table: Table, partitions: int, tell: Tell) -> None:
        self._table = table
        self._partitions = partitions
        self._tell = tell
        self._entries: dict[str, dict[bytes, None]] = {}
        """By campaign: the keys of its entries, in no order that matters."""
        self._revealed: dict[str, DrawSeedRevealed] = {}
        self._drawing: _Drawing | None = None
        self._leftover: list[bytes] = []
        """Entries of draws that were held, still to be deleted."""
        self._kept: dict[str, list[bytes]] = {}
        """By campaign: those that stay although the draw was held, so that a repeat is told from a late entry."""

    def restored(self) -> None:
        """The table is complete."""
        for key, _ in self._table.committed_items():
            if key.startswith(ENTRY):
                self._entries.setdefault(_campaign_of(key), {})[key] = None
        for campaign_id in [each for each in self._entries if self._draw(each).held]:
            self._leftover += self._entries.pop(campaign_id)

    def enter(self, made: EntryMade) -> None:
        """An entry takes part, unless the draw is being held or was: then the customer is told that it does not.

        It can only be one that was made after the end, where the ledger still took the draw for open: its programme
        file said so, for example. What is in the table took part, and is a repeat.
        """
        data, draw, key = made.data, self._draw(made.data.campaign_id), _key(made.data)
        if self._drawing is not None and self._drawing.campaign_id == data.campaign_id:
            draw = Draw(held=True, ended_at=self._drawing.terms.ends_at_ms)
        if not draw.held:
            self._entries.setdefault(data.campaign_id, {})[key] = None
            self._table.touch(key, Entrant(data.partition, data.made_at))
        elif draw_book.is_late(draw, data.made_at) and self._table.get(key) is None:
            self._tell(data.partition, _refused(made))

    def withdraw(self, data: EntryData) -> None:
        """An entry takes part no longer, unless the draw is being held or was."""
        key = _key(data)
        of_draw = self._entries.get(data.campaign_id, {})
        if key in of_draw and not self._is_drawing(data.campaign_id):
            del of_draw[key]
            self._table.delete(key)

    def withdraw_all(self, data: ErasedData) -> None:
        """No entry of a customer takes part any longer, unless the draw is being held or was.

        All entries of the draw are looked through, some 100 ns each: it is for rare things.
        """
        theirs = f"\n{data.customer}".encode()
        of_draw = self._entries.get(data.campaign_id, {})
        if not self._is_drawing(data.campaign_id):
            for key in [key for key in of_draw if key.endswith(theirs)]:
                del of_draw[key]
                self._table.delete(key)
        kept = self._kept.get(data.campaign_id, [])
        for key in [key for key in kept if key.endswith(theirs)]:
            kept.remove(key)
            self._table.delete(key)

    def pass_time(self, campaign_id: str, partition: int, time: int) -> None:
        """A partition's time has reached `time` (ms)."""
        draw = self._draw(campaign_id)
        draw_book.pass_time(draw, partition, time)
        self._table.touch(DRAW + campaign_id.encode(), draw)

    def reveal(self, revealed: DrawSeedRevealed) -> None:
        """The seed is known, and right."""
        self._revealed.setdefault(revealed.data.campaign_id, revealed)

    def proceed(self, rules: Rules) -> bool:
        """Do a slice of the work of drawing; False: there is none."""
        if self._drawing is None:
            self._drawing = self._next_drawing(rules)
        if self._drawing is not None:
            self._draw_on(self._drawing)
            return True
        for key in self._leftover[:SLICE_ENTRIES]:
            entrant: Entrant = self._table.get(key)
            campaign_id = _campaign_of(key)
            if draw_book.is_late(self._draw(campaign_id), entrant.made_at):
                self._kept.setdefault(campaign_id, []).append(key)
            else:
                self._table.delete(key)
        del self._leftover[:SLICE_ENTRIES]
        return bool(self._leftover)

    def _next_drawing(self, rules: Rules) -> _Drawing | None:
        for campaign_id, revealed in self._revealed.items():
            draw = self._draw(campaign_id)
            terms = draws.terms(rules.book, campaign_id)
            if (
                not draw.held
                and terms is not None
                and draw_book.is_closed(draw, self._partitions, terms.ends_at_ms)
            ):
                return _Drawing(campaign_id, revealed, terms, list(self._entries.get(campaign_id, ())))
        return None

    def _draw_on(self, drawing: _Drawing) -> None:
        slice_ = drawing.keys[-SLICE_ENTRIES:]
        del drawing.keys[-SLICE_ENTRIES:]
        count = len(draw_winners.places(drawing.terms.prizes))
        seed = drawing.revealed.data.seed
        drawing.best = draw_winners.best(seed, count, [_entry_of(key) for key in slice_], drawing.best)
        if not drawing.keys:
            self._finish(drawing)

    def _finish(self, drawing: _Drawing) -> None:
        """Tell the winners, and that the draw was held, in one transaction."""
        for winner in draw_winners.award(drawing.terms.prizes, drawing.best):
            key = _key_of(drawing.campaign_id, winner.entry_id, winner.customer)
            entrant: Entrant = self._table.get(key)
            won = EntryWon(
                specversion="1.0",
                id=f"draw-won:{winner.proof}",
                source=SOURCE,
                subject=winner.customer,
                time=drawing.revealed.time,
                data=EntryWonData(
                    entry_id=winner.entry_id,
                    campaign_id=drawing.campaign_id,
                    prize=winner.prize,
                    proof=winner.proof,
                ),
            )
            self._tell(entrant.partition, won)
        draw = self._draw(drawing.campaign_id)
        draw.held, draw.ended_at = True, drawing.terms.ends_at_ms
        self._table.touch(DRAW + drawing.campaign_id.encode(), draw)
        self._leftover += self._entries.pop(drawing.campaign_id, {})
        self._drawing = None

    def _draw(self, campaign_id: str) -> Draw:
        draw: Draw | None = self._table.get(DRAW + campaign_id.encode())
        return Draw() if draw is None else draw

    def _is_drawing(self, campaign_id: str) -> bool:
        return self._drawing is not None and self._drawing.campaign_id == campaign_id


def refuse_seed(revealed: DrawSeedRevealed, rules: Rules) -> str | None:
    """Why the seed cannot be taken: unknown draw, before its end, or another than was committed to; or None."""
    data = revealed.data
    terms = draws.terms(rules.book, data.campaign_id)
    if terms is None:
        return f"`$.data.campaign_id`: no campaign {data.campaign_id} with a draw is known"
    if calendar.to_ms(revealed.time) < terms.ends_at_ms:
        ends_at = calendar.to_datetime(terms.ends_at_ms).isoformat()
        return f"`$.time`: the draw is open until {ends_at}; a seed is revealed after that"
    if not draw_winners.matches(data.seed, terms.seed_commitment):
        return "`$.data.seed`: its SHA-256 is not the `seed_commitment` that was published"
    return None


def _refused(made: EntryMade) -> EntryRefused:
    data = made.data
    return EntryRefused(
        specversion="1.0",
        id=f"draw-refused:{made.id}",
        source=SOURCE,
        subject=data.customer,
        time=made.time,
        data=EntryRefusedData(entry_id=data.entry_id, campaign_id=data.campaign_id, paid=data.paid),
    )


# An entry's key: what it is, its campaign, its id and its customer, by line feeds, which ids never hold.


def _key(data: EntryData) -> bytes:
    return _key_of(data.campaign_id, data.entry_id, data.customer)


def _key_of(campaign_id: str, entry_id: str, customer: str) -> bytes:
    return ENTRY + f"{campaign_id}\n{entry_id}\n{customer}".encode()


def _campaign_of(key: bytes) -> str:
    return key.split(b"\n", 2)[1].decode()


def _entry_of(key: bytes) -> Entry:
    _, _, entry_id, customer = key.decode().split("\n")
    return entry_id, customer
