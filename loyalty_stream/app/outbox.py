"""What the ledger tells others: nothing but what an event of an account says (ARCHITECTURE.md).

The ledger is its own outbox: requests to owners of limited things, and commands for other customers' accounts, go
out in the transaction of the events that ask for them. It holds no rule.
"""

from typing import Final

from loyalty_stream.app.settings import Settings
from loyalty_stream.domain import allocations, calendar, referral
from loyalty_stream.domain.events import DrawEntered, PointEvent
from loyalty_stream.domain.notes import AskNote, AwardWithdrawnNote, ErasedNote, ReferralNote, ReturnNote
from loyalty_stream.domain.owner_requests import (
    AllocationRequested,
    AllocationReturned,
    EntrantErased,
    EntryData,
    EntryMade,
    EntryWithdrawn,
    ErasedData,
    MadeData,
    OwnerRequest,
    PassedData,
    RequestedData,
    ReturnedData,
    TimePassed,
)
from loyalty_stream.engine.stage import Context
from loyalty_stream.wire import own_commands, standings
from loyalty_stream.wire.allocations import encode_request
from loyalty_stream.wire.partitioning import partition_of

TELLING_NOTES: Final = frozenset({AskNote, ReturnNote, AwardWithdrawnNote, ErasedNote, ReferralNote})
"""The notes that others are told of; of events it is `DrawEntered`."""


class Outbox:
    """The pen of one partition of the ledger for the topics that others read."""

    def __init__(self, settings: Settings, partitions: int, context: Context) -> None:
        """`partitions` is the number that the topics have."""
        self._topic = settings.topic("allocation-requests")
        self._commands_topic = settings.topic("points-commands")
        self._times_topic = settings.topic("board-times")
        self._partitions = partitions
        self._context = context

    def tell(self, event: PointEvent, now: int) -> None:
        """Send what the event tells: to the owner of the thing, or to the referrer's account.

        `now` is the time (ms) of this partition, in whose turn the event was made.
        """
        self._tell_note(event)
        data = event.data
        if isinstance(data, DrawEntered):
            self._send(
                EntryMade(
                    id=event.id,
                    subject=allocations.draw_of(data.campaign_id),
                    time=event.time,
                    data=MadeData(
                        campaign_id=data.campaign_id,
                        entry_id=data.entry_id,
                        customer=event.subject,
                        partition=self._context.partition,
                        made_at=now,
                        paid=data.paid,
                    ),
                )
            )

    def tell_time(self, campaign_id: str, time: int) -> None:
        """The time of this partition has passed the end of the campaign, and is `time` (ms) now."""
        partition = self._context.partition
        self._send(
            TimePassed(
                id=f"{campaign_id}:{partition}:{time}",
                subject=allocations.draw_of(campaign_id),
                time=calendar.to_datetime(time),
                data=PassedData(campaign_id=campaign_id, partition=partition),
            )
        )

    def tell_boards_time(self, time: int) -> None:
        """The time of this partition has passed the close of a period of a board, and is `time` (ms) now."""
        partition = self._context.partition
        value = standings.encode_time(standings.LedgerTime(time))
        self._context.emit(self._times_topic, partition, b"%d" % partition, value)

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
        self._context.emit(self._commands_topic, partition_of(key, self._partitions), key, command)

    def _send(self, request: OwnerRequest) -> None:
        key = request.subject.encode()
        self._context.emit(self._topic, partition_of(key, self._partitions), key, encode_request(request))

    def _tell_note(self, event: PointEvent) -> None:
        time = event.time
        match event.data.note:
            case AskNote() as ask:
                asked = RequestedData(
                    quantity=ask.quantity,
                    limit=ask.limit,
                    partial=ask.partial,
                    customer=event.subject,
                    partition=self._context.partition,
                )
                self._send(
                    AllocationRequested(id=ask.request_id, subject=ask.resource, time=time, data=asked)
                )
            case ReturnNote() as back:
                returned = ReturnedData(request_id=back.request_id)
                self._send(AllocationReturned(id=event.id, subject=back.resource, time=time, data=returned))
            case ReferralNote() as referral_note:
                self._reward_referrer(event, referral_note)
            case AwardWithdrawnNote() as withdrawn:
                for number, entry_id in enumerate(withdrawn.entry_ids):
                    self._send(
                        EntryWithdrawn(
                            id=f"{event.id}:{number}",
                            subject=allocations.draw_of(withdrawn.campaign_id),
                            time=time,
                            data=self._entry(event, withdrawn.campaign_id, entry_id),
                        )
                    )
            case ErasedNote() as erased:
                for campaign_id in erased.draws:
                    self._send(
                        EntrantErased(
                            id=f"{event.id}:{campaign_id}",
                            subject=allocations.draw_of(campaign_id),
                            time=time,
                            data=ErasedData(campaign_id=campaign_id, customer=event.subject),
                        )
                    )
            case _:
                pass  # nothing that others are told of

    def _entry(self, event: PointEvent, campaign_id: str, entry_id: str) -> EntryData:
        return EntryData(
            campaign_id=campaign_id,
            entry_id=entry_id,
            customer=event.subject,
            partition=self._context.partition,
        )
