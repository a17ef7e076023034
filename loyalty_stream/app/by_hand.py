"""Stages without a broker: one partition of each, fed by hand, and what each says to the others is done at once.

It knows no stage, no topic and no account; `simulate` does.
"""

from collections.abc import Sequence

from loyalty_stream.engine.log import NO_HEADERS, Headers, Output, Record
from loyalty_stream.engine.stage import Context, Processor, Stage, side_tables_in_memory
from loyalty_stream.engine.table import Table


class Line:
    """A line as a record: no broker has stamped it. `offset` is its number."""

    __slots__ = ("key", "offset", "value")

    timestamp: int | None = None
    headers: Headers = NO_HEADERS

    def __init__(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        self.offset = offset
        self.key = key
        self.value = value


class StageByHand:
    """The only partition of a stage, with its tables."""

    def __init__(self, stage: Stage, cached_states: int) -> None:
        self.stage = stage
        self._cached_states = cached_states
        self.table = Table(stage.codec, cached_states)
        self.side_tables = side_tables_in_memory(stage)
        self._stored_time = 0
        self._start()

    def store(self) -> None:
        """What was done so far is committed: `go_back` comes back to here."""
        for table in (self.table, *self.side_tables.values()):
            table.committed(table.changes())
        self.processor.committed()
        self._stored_time = self.processor.time

    def go_back(self) -> None:
        """Drop what was done since `store`."""
        table, side_tables = Table(self.stage.codec, self._cached_states), side_tables_in_memory(self.stage)
        table.restore_all(list(self.table.committed_items()))
        for topic, side in self.side_tables.items():
            side_tables[topic].restore_all(list(side.committed_items()))
        self.table, self.side_tables = table, side_tables
        self._start()

    def _start(self) -> None:
        self.context = Context(0, self.table, self.side_tables)
        self.processor: Processor = self.stage.processor(self.context)
        self.processor.time = self._stored_time
        self.processor.restored()


class Network:
    """Carries what stages write to the stages that read it, until there is nothing more."""

    def __init__(self, stages: Sequence[StageByHand]) -> None:
        self._stages = stages
        self._readers = {topic: each for each in stages for topic in each.stage.inputs}
        self._done: dict[tuple[str, str], int] = {}

    def heard(self, topic: str, record: Record) -> None:
        """Tell every stage that listens to a broadcast topic."""
        for each in self._stages:
            if topic in each.stage.broadcasts:
                each.processor.heard(topic, record)

    def settle(self, number: int) -> None:
        """Do what was set off, and what that sets off; `number` is the line's that began it."""
        busy = True
        while busy:
            busy = False
            for topic, output in self._news():
                reader = self._readers[topic]
                line = Line(number, output[0], output[1])
                _, event = reader.processor.decode(topic, line)
                reader.processor.process(topic, line, event)
                busy = True
            for each in self._stages:
                while each.processor.proceed():
                    busy = True
            for each in self._stages if not busy else ():
                for then in each.context.take_waiting():
                    then()
                    busy = True

    def clear(self) -> None:
        """Forget what was written."""
        for each in self._stages:
            each.context.clear()
        self._done.clear()

    def _news(self) -> list[tuple[str, Output]]:
        """What was written to topics that some stage reads, and has not been carried yet."""
        news: list[tuple[str, Output]] = []
        for each in self._stages:
            for topic, _, outputs in each.context.written():
                if topic in self._readers:
                    done = self._done.get((each.stage.name, topic), 0)
                    news += [(topic, output) for output in outputs[done:]]
                    self._done[each.stage.name, topic] = len(outputs)
        return news
