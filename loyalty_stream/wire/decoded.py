"""What comes of a record that can be read. What comes of any other is `refusal.Refused`."""

from mypy_extensions import mypyc_attr

from loyalty_stream.domain.announcements import Announcement
from loyalty_stream.domain.facts import Answer, Incoming


@mypyc_attr(acyclic=True)
class Decoded:
    """A fact that holds what the contract says, and its `time` as milliseconds since 1970 (floored)."""

    __slots__ = ("at_ms", "fact")

    def __init__(self, fact: Incoming | Announcement | Answer, at_ms: int) -> None:
        self.fact = fact
        self.at_ms = at_ms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decoded) and self.fact == other.fact and self.at_ms == other.at_ms

    __hash__ = None  # type: ignore[assignment]  # most facts hold lists

    def __repr__(self) -> str:
        return f"Decoded({self.fact!r}, {self.at_ms})"
