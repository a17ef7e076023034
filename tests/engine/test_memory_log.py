"""The log in memory behaves as Kafka does where the engine can see it; the tests of the engine stand on it."""

import asyncio
from collections.abc import Sequence

import pytest

from loyalty_stream.engine.log import NO_HEADERS, FencedError, Guarantee, LogError, Output
from loyalty_stream.engine.memory_log import MemoryBroker, MemoryLog


class CrashError(BaseException):
    """Nothing catches it."""


def log_on(broker: MemoryBroker, read_records: int = 1_000) -> MemoryLog:
    return MemoryLog(broker, "stage", 0, ("in",), "changelog", read_records)


def out(*values: bytes) -> list[Output]:
    return [(b"k", value, NO_HEADERS) for value in values]


def written(broker: MemoryBroker, topic: str = "out") -> list[bytes | None]:
    return [record.value for record in broker.logs[topic, 0]]


async def transact(log: MemoryLog, values: Sequence[bytes], offset: int) -> None:
    await log.begin()
    await log.append("out", 0, out(*values))
    await log.add_offsets({"in": offset})
    await log.commit()


def test_nothing_of_a_transaction_is_there_before_its_commit_and_all_of_it_after() -> None:
    async def scenario() -> None:
        broker = MemoryBroker()
        log = log_on(broker)
        assert await log.fence() == {}
        await log.begin()
        await log.append("out", 0, out(b"1", b"2"))
        await log.add_offsets({"in": 7})
        assert written(broker) == []
        assert broker.offsets == {}
        await log.commit()
        assert written(broker) == [b"1", b"2"]
        assert broker.offsets == {("stage", "in", 0): 7}
        assert await log_on(broker).fence() == {"in": 7}

    asyncio.run(scenario())


def test_a_new_owner_aborts_the_open_transaction_of_the_old_one_which_can_do_nothing_more() -> None:
    async def scenario() -> None:
        broker = MemoryBroker()
        old, new = log_on(broker), log_on(broker)
        await old.fence()
        await old.begin()
        await old.append("out", 0, out(b"lost"))
        await new.fence()
        for late in (old.commit(), old.begin(), old.append("out", 0, out(b"late")), old.add_offsets({})):
            with pytest.raises(FencedError):
                await late
        await transact(new, [b"new"], 1)
        assert written(broker) == [b"new"]

    asyncio.run(scenario())


def test_another_partition_and_another_stage_are_not_fenced() -> None:
    async def scenario() -> None:
        broker = MemoryBroker()
        logs = [MemoryLog(broker, stage, n, ("in",), "changelog") for stage in "ab" for n in range(2)]
        for log in logs:
            await log.fence()
        for log in logs:
            await transact(log, [b"x"], 1)
        assert len(broker.offsets) == 4

    asyncio.run(scenario())


def test_an_aborted_transaction_cannot_be_committed() -> None:
    async def scenario() -> None:
        broker = MemoryBroker()
        log = log_on(broker)
        await log.fence()
        await log.begin()
        await log.append("out", 0, out(b"1"))
        await log.fence()
        with pytest.raises(LogError, match="no transaction is open"):
            await log.commit()
        assert written(broker) == []

    asyncio.run(scenario())


def test_closing_gives_the_open_transaction_up() -> None:
    async def scenario() -> None:
        broker = MemoryBroker()
        log = log_on(broker)
        await log.fence()
        await log.begin()
        await log.append("out", 0, out(b"1"))
        await log.close()
        with pytest.raises(LogError):
            await log.commit()
        assert written(broker) == []

    asyncio.run(scenario())


def test_reading_starts_at_the_committed_offsets_and_goes_on_in_pieces() -> None:
    async def scenario() -> None:
        broker = MemoryBroker()
        for number in range(5):
            broker.produce("in", 0, b"k", b"%d" % number)
        log = log_on(broker, read_records=2)
        await log.fence()
        await transact(log, [], 1)
        await log.fence()
        pieces = []
        while batches := await log.read(0):
            (batch,) = batches
            assert batch.end == 5
            assert batch.position == batch.records[-1].offset + 1
            pieces.append([record.value for record in batch.records])
        assert pieces == [[b"1", b"2"], [b"3", b"4"]]
        assert await log.end_offsets() == {"in": 5}

    asyncio.run(scenario())


def test_the_changelog_is_what_was_committed_to_it() -> None:
    async def scenario() -> None:
        broker = MemoryBroker()
        log = log_on(broker)
        await log.fence()
        await log.begin()
        await log.append("changelog", 0, [(b"a", b"1", NO_HEADERS), (b"b", None, NO_HEADERS)])
        assert [chunk async for chunk in log.changelog()] == []
        await log.commit()
        assert [chunk async for chunk in log.changelog()] == [[(b"a", b"1"), (b"b", None)]]

    asyncio.run(scenario())


def test_without_transactions_each_write_is_there_at_once_and_offsets_move_with_the_commit() -> None:
    async def scenario() -> None:
        broker = MemoryBroker(transactions=False)
        log = log_on(broker)
        assert log.guarantee is Guarantee.EFFECTIVELY_ONCE
        await log.fence()
        await log.begin()
        await log.append("out", 0, out(b"1"))
        await log.add_offsets({"in": 1})
        assert written(broker) == [b"1"]
        assert broker.offsets == {}
        await log.commit()
        assert broker.offsets == {("stage", "in", 0): 1}

    asyncio.run(scenario())


def test_what_is_appended_later_to_a_list_was_not_written() -> None:
    """The task empties its lists once it believes the transaction committed."""

    async def scenario() -> None:
        broker = MemoryBroker()
        log = log_on(broker)
        await log.fence()
        await log.begin()
        outputs = out(b"1")
        await log.append("out", 0, outputs)
        outputs.clear()
        await log.commit()
        assert written(broker) == [b"1"]

    asyncio.run(scenario())


STEPS = ("fence", "begin", "append", "appended", "add_offsets", "commit", "committed")


@pytest.mark.parametrize("transactions", [True, False])
@pytest.mark.parametrize("where", STEPS)
def test_a_crash_around_any_step_leaves_what_a_broker_would(where: str, *, transactions: bool) -> None:
    def crash(step: str) -> None:
        if step == where:
            raise CrashError(step)

    async def work(log: MemoryLog) -> None:
        await log.fence()
        await transact(log, [b"1"], 1)

    async def scenario() -> None:
        broker = MemoryBroker(transactions=transactions)
        log = log_on(broker)
        broker.on_step = crash
        with pytest.raises(CrashError):
            await work(log)
        seen = STEPS.index(where)
        outputs_there = STEPS.index("appended" if not transactions else "committed") <= seen
        assert written(broker) == ([b"1"] if outputs_there else [])
        assert bool(broker.offsets) == (where == "committed")

    asyncio.run(scenario())
