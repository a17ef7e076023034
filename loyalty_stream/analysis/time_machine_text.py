"""What `balance` and `explain` say, for a person and as JSON. It must not know where events come from, nor any rule."""

import io
from datetime import datetime, tzinfo
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from loyalty_stream.domain import calendar
from loyalty_stream.domain.account import NEVER
from loyalty_stream.domain.as_of import AccountAt, LotAt
from loyalty_stream.domain.provenance import Explanation, Fate, GrantStory

_WIDTH: Final = 110
_INDENT: Final = " " * 18
_WHY: Final = {
    "refund": "taken back by a refund",
    "cancellation": "taken back because the order was cancelled",
    "campaign": "taken back: a campaign's award no longer stands",
    "review_removed": "taken back because the review was removed",
    "erased": "gone with the account, which was erased",
    "hold_shortfall": "taken for an order whose reservation had been released",
    "debt_repaid": "repaid what was owed",
}
"""`RevokeReason` in words; anything else is an adjustment's own."""


# -- balance --------------------------------------------------------------------------------------------


class BalanceAsked(msgspec.Struct, frozen=True):
    """Whose balance was asked for, as of when, and as known when (ms)."""

    customer: str
    at: int
    known_at: int


def balance_json(asked: BalanceAsked, account: AccountAt) -> str:
    """One JSON object; instants as RFC 3339 in UTC."""
    lots = [
        {
            "grant_id": lot.grant_id,
            "points": lot.points,
            "held": lot.held,
            "pending": lot.pending,
            "earned_at": _utc(lot.earned_at),
            "available_at": _utc(lot.available_at) if lot.pending else None,
            "expires_at": _utc(lot.expires_at),
        }
        for lot in account.lots
    ]
    told = msgspec.to_builtins(account)
    del told["last_event_at"]
    body = {
        "customer": asked.customer,
        "at": _utc(asked.at),
        "known_at": _utc(asked.known_at),
        **told,
        "last_event_at": _utc(account.last_event_at) if account.events else None,
        "lots": lots,
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def balance_text(asked: BalanceAsked, account: AccountAt, zone: tzinfo, show_lots: int = 0) -> str:
    """Tables for a person, times in `zone`; of the lots the first `show_lots`, 0: all."""
    console = Console(file=io.StringIO(), width=_WIDTH)
    tier = f"tier {account.tier}" if account.tier else "no tier"
    console.print(f"customer {asked.customer} as of {_moment(asked.at, zone)}, {tier}", highlight=False)
    console.print(f"as the ledger knew it on {_moment(asked.known_at, zone)}", highlight=False)
    names = ("available", "pending", "held", "debt")
    sums = ("granted", "redeemed", "expired", "revoked", "restored")
    balance = Table(*names, *sums, title="Balance in points", title_justify="left")
    balance.add_row(*(f"{getattr(account, name):,}" for name in (*names, *sums)))
    console.print(balance)
    if account.lots:
        lots = Table(
            "earned", "available", "held", "pending", "until", "grant",
            title="Lots, next to be spent first", title_justify="left",
        )  # fmt: skip
        shown = account.lots[:show_lots] if show_lots else account.lots
        for lot in shown:
            lots.add_row(*_lot_cells(lot, zone))
        console.print(lots)
        if rest := len(account.lots) - len(shown):
            console.print(f"and {rest:,} more lots; --lots 0 shows all", highlight=False)
    due = account.due
    for points, what in (
        (due.expired, "had expired by then, though no event tells it yet"),
        (due.activated, "had become available by then, though no event tells it yet"),
        (
            due.released,
            "had come back from reservations that had timed out by then, though no event tells it yet",
        ),
        (due.debt_repaid, "of them repaid what was owed"),
    ):
        if points:
            console.print(f"{points:,} points {what}", highlight=False)
    if account.available < 0:
        console.print(
            "Below zero: an event that came late spent points which were earned only after this instant",
            highlight=False,
        )
    last = f", the last of {_moment(account.last_event_at, zone)}" if account.events else ""
    console.print(f"by {account.events:,} point events{last}", highlight=False)
    return _printed(console)


def _lot_cells(lot: LotAt, zone: tzinfo) -> tuple[str, ...]:
    points = (f"{lot.points:,}", f"{lot.held:,}", f"{lot.pending:,}")
    return (_moment(lot.earned_at, zone), *points, _until(lot.expires_at, zone), lot.grant_id)


# -- explain --------------------------------------------------------------------------------------------


def explanation_json(told: Explanation) -> str:
    """One JSON object with every grant and its fates."""
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def explanation_text(told: Explanation, zone: tzinfo) -> str:
    """A line for each grant, under it what became of its points, and in the end what it comes to."""
    count = f"{len(told.grants):,} grants" if len(told.grants) != 1 else "1 grant"
    lines = [f"customer {told.customer}: {told.granted:,} points of {count}", ""]
    for story in told.grants:
        lines += _story(story, zone)
    lines += [*_sum(told), ""]
    if told.contradictions:
        lines += ["IT DOES NOT ADD UP:", *(f"  {each}" for each in told.contradictions)]
    else:
        lines.append("The parts of every grant add up to it, and all grants to the account.")
    return "".join(f"{line}\n" for line in lines)


def _story(story: GrantStory, zone: tzinfo) -> list[str]:
    """The grant, and where each of its points went: every line's points together are those of the grant."""
    word = "point" if story.points == 1 else "points"
    lines = [f"{_local(story.at, zone)}  {story.points:+,} {word}: {_origin(story)}  [{story.grant_id}]"]
    lines += [f"{_INDENT}{_fate_line(fate, zone)}" for fate in story.fates]
    if story.available:
        until = _until_date(story.expires_at, zone)
        lines.append(f"{_INDENT}{story.available:>9,}  can be spent {until}")
    if story.held:
        lines.append(f"{_INDENT}{story.held:>9,}  are reserved")
    if story.pending:
        since = "when the order completes"
        if story.available_at is not None:
            since = f"on {_local(story.available_at, zone)}"
        lines.append(f"{_INDENT}{story.pending:>9,}  become available {since}")
    for back in story.taken_back:
        own = [fate.points for fate in story.fates if fate.event_id == back.event_id]
        if sum(own) == back.points:
            continue  # said above already
        order = f" of order {back.order_id}" if back.order_id else ""
        lines.append(
            f"{_INDENT}{'':9}  (the {back.reason}{order} on {_local(back.at, zone)} took {back.points:,} "
            "of this grant back, from whatever points there were)"
        )
    lines.append("")
    return lines


def _origin(story: GrantStory) -> str:
    """Under which rule and version, and why."""
    parts = [f"rule {story.rule}@{story.rule_version}, {story.reason}"]
    if story.campaign_id:
        parts.append(f"campaign {story.campaign_id}")
    if story.order_id:
        base = f" on {_amount(story.base_amount)}" if story.base_amount is not None else ""
        parts.append(f"order {story.order_id}{base}")
    if story.command_id:
        parts.append(f"command {story.command_id}")
    if story.operator:
        parts.append(f"by {story.operator}")
    return ", ".join(parts)


def _fate_line(fate: Fate, zone: tzinfo) -> str:
    came_back = fate.kind == "restored"
    points = f"{fate.points if not came_back else -fate.points:>9,}"
    return f"{points}  {_went(fate, zone)}, {_local(fate.at, zone)}"


def _went(fate: Fate, zone: tzinfo) -> str:
    match fate.kind:
        case "redeemed":
            worth = f", worth {_amount(fate.amount)}" if fate.amount is not None else ""
            return f"spent on {_place(fate)}{worth}"
        case "expired":
            return "expired"
        case "revoked":
            order = f" (order {fate.order_id})" if fate.order_id else ""
            return _WHY.get(fate.reason or "", f"taken back: {fate.reason}") + order
        case "restored":
            return f"came back from {_place(fate)}, {_until_date(fate.expires_at, zone)}"


def _place(fate: Fate) -> str:
    if fate.order_id:
        return f"order {fate.order_id}"
    if fate.redemption_id:
        return f"reward redemption {fate.redemption_id}"
    if fate.entry_id:
        return f"draw entry {fate.entry_id}"
    return f"reservation {fate.hold_id}"


def _sum(told: Explanation) -> list[str]:
    lines = [f"granted   {told.granted:>12,}"]
    for name, points, sign in (
        ("spent", told.redeemed, "-"),
        ("came back", told.restored, "+"),
        ("expired", told.expired, "-"),
        ("taken back", told.revoked, "-"),
    ):
        if points:
            lines.append(f"{name:10}{sign}{points:>11,}")
    left = told.available + told.held + told.pending
    parts = [
        f"{points:,} {what}"
        for points, what in (
            (told.available, "available"),
            (told.held, "reserved"),
            (told.pending, "not available yet"),
        )
        if points
    ]
    lines.append(f"left      {left:>12,}  {', '.join(parts)}".rstrip())
    if told.debt:
        lines.append(f"owed      {told.debt:>12,}  what is earned next repays it first")
    return lines


# -- instants and amounts -------------------------------------------------------------------------------


def _amount(minor: int | None) -> str:
    """An amount of minor units with two decimals; what currency it is in, no event tells."""
    if minor is None:
        return ""
    return f"{minor // 100:,}.{minor % 100:02}"


def _local(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _moment(at_ms: int, zone: tzinfo) -> str:
    return f"{calendar.to_datetime(at_ms).astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def _until(at_ms: int, zone: tzinfo) -> str:
    return "for ever" if at_ms == NEVER else f"{calendar.to_datetime(at_ms).astimezone(zone):%Y-%m-%d %H:%M}"


def _until_date(moment: datetime | None, zone: tzinfo) -> str:
    return "for ever" if moment is None else f"until {_local(moment, zone)}"


def _utc(at_ms: int) -> str | None:
    if at_ms == NEVER:
        return None
    return calendar.to_datetime(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())
