"""Who takes what the allocation stage counts: nobody, or the metrics.

Interpreted, as the metrics are a sink of the ledger, too, and a class has one compiled base.
"""

from collections.abc import Mapping


class AllocationSink:
    """Takes the counts of committed transactions; this one drops them. The metrics are another."""

    def allocated(self, answers: Mapping[str, int], left: Mapping[str, int]) -> None:
        """Answers by outcome (`given`, `cut`, `refused`, `repeated`, `returned`), and what is left of resources."""
