"""As much of a point event as is counted, and no more: what is not declared here is not even read.

What the fields mean is `events` and `notes`; what becomes of them is `counting`.
"""

from msgspec import Struct


class Took(Struct, frozen=True, gc=False):
    """Points of one grant."""

    grant_id: str
    points: int
    campaign_id: str | None = None


class Noted(Struct, frozen=True, gc=False):
    """As much of the notes as is counted; of each kind some fields are there."""

    kind: str
    order_id: str | None = None
    lines: tuple[tuple[str | int, int], ...] = ()
    counts: tuple[tuple[str, tuple[int, ...]], ...] = ()
    campaign_id: str = ""
    cancelled: bool = False
    entry_ids: tuple[str, ...] = ()
    draws: tuple[str, ...] = ()
    redemption_id: str = ""


class HappenedData(Struct, frozen=True, gc=False):
    """As much of the point events' data as is counted."""

    points: int = 0
    grant_id: str = ""
    reason: str = ""
    rule: str = ""
    command_id: str | None = None
    campaign_id: str | None = None
    grants: tuple[Took, ...] = ()
    revokes: tuple[Took, ...] = ()
    entry_id: str = ""
    redemption_id: str = ""
    quantity: int = 0
    note: Noted | None = None


class Happened(Struct, frozen=True, gc=False):
    """A point event as it is counted."""

    type: str
    time: str
    data: HappenedData
