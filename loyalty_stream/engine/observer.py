"""What the engine tells about itself. The application turns it into metrics; the default says nothing."""

from typing import Protocol


class Observer(Protocol):
    """Called from the tasks, between awaits; must return at once and never raise."""

    def restoring(self, stage: str, partition: int, records: int) -> None:
        """So many changelog records are restored so far."""
        ...

    def restored(self, stage: str, partition: int, records: int, seconds: float) -> None: ...

    def committed(
        self, stage: str, partition: int, records: int, outputs: int, changes: int, seconds: float
    ) -> None:
        """A transaction: input records, outputs, touched keys, seconds from its start to its commit."""
        ...

    def started_over(self, stage: str, partition: int, error: str) -> None:
        """The task dropped its state after this kind of error."""
        ...

    def stopped(self, stage: str, partition: int) -> None:
        """The partition is no longer here."""
        ...


class Silent:
    """Tells nobody."""

    def restoring(self, stage: str, partition: int, records: int) -> None: ...
    def restored(self, stage: str, partition: int, records: int, seconds: float) -> None: ...
    def committed(
        self, stage: str, partition: int, records: int, outputs: int, changes: int, seconds: float
    ) -> None: ...
    def started_over(self, stage: str, partition: int, error: str) -> None: ...
    def stopped(self, stage: str, partition: int) -> None: ...
