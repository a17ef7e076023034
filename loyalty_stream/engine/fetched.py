"""A fetched record as it waits for its task.

A worker behind its inputs has hundreds of thousands at hand. aiokafka's own record and its list of headers are both
objects that the collector of cycles looks at, one after the other; compiled, this one is not.
"""

from mypy_extensions import mypyc_attr

from loyalty_stream.engine.log import NO_HEADERS, Record


@mypyc_attr(acyclic=True)
class Fetched:
    """A copy of what a task needs of a record; see `log.Record`."""

    __slots__ = ("headers", "key", "offset", "timestamp", "value")

    def __init__(self, record: Record) -> None:
        self.offset = record.offset
        self.timestamp = record.timestamp
        self.key = record.key
        self.value = record.value
        self.headers = record.headers or NO_HEADERS
