"""Records of our own that are no CloudEvents, by topic: what stages tell each other, described for who debugs it.

Nobody but this application reads or writes them. It knows no codec.
"""

from typing import Final

from msgspec import Struct

from loyalty_stream.domain.facts import ID_PATTERN
from loyalty_stream.domain.standings import PartPassed, PartTold
from loyalty_stream.wire.own_commands import ReferrerNamed
from loyalty_stream.wire.standings import LedgerTime
from loyalty_stream.wire.statistics import Partial


class InternalRecord(Struct, frozen=True):
    """One kind of record: its type, and the pattern of its key in Kafka."""

    type: type[Struct]
    key: str


_ID: Final = f"^{ID_PATTERN}$"
INTERNAL_TOPICS: Final[dict[str, dict[str, InternalRecord]]] = {
    "board-times": {"ledger-time": InternalRecord(LedgerTime, r"^\d+$")},
    "board-parts": {
        "board-part": InternalRecord(PartTold, _ID),
        "board-time": InternalRecord(PartPassed, _ID),
    },
    "campaign-counts": {"partition-counts": InternalRecord(Partial, "^(programme|campaign:.+)$")},
}
"""Topic kind -> name -> record, of topics that hold nothing else."""
INTERNAL_COMMANDS: Final = {"referrer-named": InternalRecord(ReferrerNamed, _ID)}
"""Name -> record, of what the ledger puts among the platform's `points-commands`."""
ALL: Final[dict[str, InternalRecord]] = {
    **{name: record for records in INTERNAL_TOPICS.values() for name, record in records.items()},
    **INTERNAL_COMMANDS,
}
