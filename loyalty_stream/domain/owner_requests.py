"""What goes to the owners of things that are limited across customers, keyed by the thing (ARCHITECTURE.md).

Requests of accounts say where the answer goes, so that an owner needs neither rules nor partitioning.
"""

from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from loyalty_stream.domain.events import SOURCE, Restored


class _Request(Struct, frozen=True, gc=False, tag_field="type", kw_only=True):
    """A CloudEvent of our own. `subject` is the resource, `time` that of the event that asked."""

    id: str
    subject: str
    time: datetime
    specversion: str = "1.0"
    source: str = SOURCE


class RequestedData(Struct, frozen=True, gc=False, kw_only=True):
    """`quantity` of what is limited to `limit` in all is asked for; with `partial`, less will do."""

    quantity: int
    limit: int
    partial: bool
    customer: str
    partition: int
    """Where the customer's answer goes."""


class AllocationRequested(_Request, frozen=True, gc=False, kw_only=True, tag="allocation-requested"):
    """An account asks; the event's id is the request's."""

    data: RequestedData


class ReturnedData(Struct, frozen=True, gc=False, kw_only=True):
    """Whatever the request was given is given back."""

    request_id: str


class AllocationReturned(_Request, frozen=True, gc=False, kw_only=True, tag="allocation-returned"):
    """An account gives back, or takes its request back."""

    data: ReturnedData


class EntryData(Struct, frozen=True, gc=False, kw_only=True):
    """An entry to a campaign's draw, and where it is told that it won."""

    campaign_id: str
    entry_id: str
    customer: str
    partition: int


class MadeData(EntryData, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An entry, and what is needed where it comes too late."""

    made_at: int = 0
    """The partition's time in ms; it has told, or will tell, that it passed the draw's end after all from before."""
    paid: tuple[Restored, ...] = ()
    """The points that it cost, as they are to come back."""


class EntryMade(_Request, frozen=True, gc=False, kw_only=True, tag="draw-entry-made"):
    """An entry takes part in the draw."""

    data: MadeData


class EntryWithdrawn(_Request, frozen=True, gc=False, kw_only=True, tag="draw-entry-withdrawn"):
    """An entry takes part no longer."""

    data: EntryData


class ErasedData(Struct, frozen=True, gc=False, kw_only=True):
    """Whose entries to a campaign's draw there shall be no more."""

    campaign_id: str
    customer: str


class EntrantErased(_Request, frozen=True, gc=False, kw_only=True, tag="draw-entrant-erased"):
    """A customer was erased: none of their entries takes part any longer."""

    data: ErasedData


class PassedData(Struct, frozen=True, gc=False, kw_only=True):
    """The time of the partition has reached the event's `time`: it sends no more entries from before."""

    campaign_id: str
    partition: int


class TimePassed(_Request, frozen=True, gc=False, kw_only=True, tag="time-passed"):
    """One partition's time has passed the end of a campaign with a draw."""

    data: PassedData


OwnerRequest: TypeAlias = (
    AllocationRequested | AllocationReturned | EntryMade | EntryWithdrawn | EntrantErased | TimePassed
)
