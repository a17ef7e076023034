"""Outputs as Kafka record batches: every record that is written goes through here."""

from collections.abc import Callable, Sequence
from typing import Any

from loyalty_stream.engine.log import Output


def fill(batch: Any, outputs: Sequence[Output], first: int, timestamp: int) -> int:
    """Append the outputs from place `first` on to a batch of aiokafka; returns the place of the next one.

    It ends where the batch is full. `timestamp` (ms since 1970) is that of all. Appended to the batch's own builder:
    what aiokafka does around that for each record takes as long again.
    """
    append: Callable[..., object] = batch._builder.append  # noqa: SLF001
    place, end = first, len(outputs)
    before: int = batch._relative_offset - first  # noqa: SLF001
    while place < end:
        key, value, headers = outputs[place]
        if append(before + place, timestamp, key, value, headers) is None:
            break
        place += 1
    batch._relative_offset = before + place  # noqa: SLF001
    return place
