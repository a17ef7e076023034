"""What comes of a record that can be read. What comes of any other is `refusal.Refused`."""

from msgspec import Struct

from loyalty_stream.domain.announcements import Announcement
from loyalty_stream.domain.facts import Answer, Incoming


class Decoded(Struct, frozen=True, gc=False):
    """A fact that holds what the contract says, and its `time` as milliseconds since 1970 (floored)."""

    fact: Incoming | Announcement | Answer
    at_ms: int
