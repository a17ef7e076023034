"""What the ledger counts of each transaction, and who takes it over once it is committed."""

from collections import Counter

from mypy_extensions import mypyc_attr

from loyalty_stream.domain.facts import Fact


class Counts:
    """What the ledger counts between two commits; the metrics take it over when it is committed."""

    __slots__ = (
        "asked",
        "dead_letters",
        "duplicates",
        "events_in",
        "events_out",
        "notified",
        "points",
        "rejections",
        "unmatched",
        "violations",
    )

    def __init__(self) -> None:
        self.events_in: dict[type[Fact], int] = {}
        self.events_out: dict[str, int] = {}
        self.points: dict[str, int] = {}
        self.rejections: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.notified: Counter[str] = Counter()
        """Notifications sent, by kind; `suppressed`: kept back by the daily cap, or told before."""
        self.asked = 0
        """Requests to owners of limited things; every one is answered by an `allocation-answered`."""
        self.duplicates = 0
        self.unmatched = 0
        self.violations = 0


@mypyc_attr(allow_interpreted_subclasses=True)
class CountSink:
    """Takes the counts of committed transactions; this one drops them. The metrics are another."""

    def add(self, partition: int, counts: Counts) -> None:
        """Take over the counts of one committed transaction."""

    def violation(self) -> None:
        """An account broke the law of conservation."""
