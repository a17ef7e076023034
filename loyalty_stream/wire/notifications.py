"""Notifications as CloudEvents in JSON. What the fields mean is `domain.notifications`."""

from collections.abc import Callable
from typing import Final

import msgspec

from loyalty_stream.domain.told import Notification

encode: Final[Callable[[Notification], bytes]] = msgspec.json.Encoder().encode
"""A notification as the JSON of its CloudEvent."""
decode: Final[Callable[[bytes], Notification]] = msgspec.json.Decoder(Notification).decode
"""Read one back; msgspec.DecodeError says what is wrong."""
