"""Erasing a customer: the account ends, its points go, and nothing is remembered but that it has ended.

What comes later is answered here too (DOMAIN.md, Deletion). It must not know where an account is stored.
"""

from typing import Final, TypeAlias

from loyalty_stream.domain import allocations, draws, expiry, holds, identity
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.events import CommandRejected, PointEvent, PointRevoked, Taken
from loyalty_stream.domain.facts import (
    AdjustPoints,
    CancelRedemption,
    ConfirmHold,
    EnterDraw,
    EraseCustomer,
    Fact,
    GrantPoints,
    HoldPoints,
    RedeemReward,
    ReleaseHold,
)
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import ErasedNote
from loyalty_stream.domain.rules import Rules

Command: TypeAlias = (
    HoldPoints
    | ConfirmHold
    | ReleaseHold
    | RedeemReward
    | CancelRedemption
    | EnterDraw
    | AdjustPoints
    | GrantPoints
    | EraseCustomer
)

_NAME_AND_ID: Final[dict[type[Command], tuple[str, str]]] = {
    HoldPoints: ("hold-points", "hold_id"),
    ConfirmHold: ("confirm-hold", "hold_id"),
    ReleaseHold: ("release-hold", "hold_id"),
    RedeemReward: ("redeem-reward", "redemption_id"),
    CancelRedemption: ("cancel-redemption", "redemption_id"),
    EnterDraw: ("enter-draw", "entry_id"),
    AdjustPoints: ("adjust-points", "adjustment_id"),
    GrantPoints: ("grant-points", "grant_id"),
    EraseCustomer: ("erase-customer", "request_id"),
}
"""Each command's type on the wire, and the field of its data that is its `command_id`."""


def decide_erase_customer(journal: Journal, fact: EraseCustomer, rules: Rules) -> list[PointEvent]:
    """Give back what is held, revoke what is left, let the debt go and forget all else.

    What a hold gives back after its date expires, as always, and is not revoked. Orders that waited are dropped:
    they are part of what is forgotten.
    """
    account = journal.account
    for hold_id in sorted(name for name, hold in account.holds.items() if hold.state == "open"):
        holds.release_erased(journal, hold_id)
    released = len(journal.events)
    expired = expiry.expire_passed(account, journal.subject, journal.now, journal.at)
    left = tuple(Taken(lot.grant_id, lot.points + lot.pending) for lot in account.lots)
    if left:
        points = account.available + account.pending
        journal.record(PointRevoked(points=points, reason="erased", grants=left, shortfall=0))
    allocations.return_all(journal)
    note = ErasedNote(
        request_id=fact.data.request_id, debt=account.debt, draws=draws.begun(rules, journal.now)
    )
    journal.remember("erased", note)
    events = journal.close()
    return events[:released] + expired + events[released:]


def has_asked(account: Account, fact: Fact) -> bool:
    """Whether `fact` is the very request by which the account was erased, under whatever event id."""
    return isinstance(fact, EraseCustomer) and identity.remembers(
        account.keys, identity.business_key("erase", fact.data.request_id)
    )


def is_command(fact: Fact) -> bool:
    """Whether somebody waits for an answer; facts are passed over in silence."""
    return fact.__class__ in _NAME_AND_ID


def refuse(journal: Journal, fact: Fact) -> list[PointEvent]:
    """Reject a command to an account that has ended."""
    command, name = _NAME_AND_ID[fact.__class__]  # type: ignore[index]  # `is_command` has said so
    command_id: str = getattr(fact.data, name)  # type: ignore[attr-defined]  # every command has data
    journal.record(
        CommandRejected(
            command=command,
            command_id=command_id,
            code="account_erased",
            message="the account was erased at the customer's request",
        )
    )
    return journal.close()
