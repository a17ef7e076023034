"""A broker that does not take one of a transaction's records: nothing of the transaction is to be seen."""

from collections.abc import Callable

import pytest
from deployment import PARTITIONS, Deployment
from story import story
from verifier import Seen, verify_outputs, verify_tables
from worker_process import Worker

pytestmark = pytest.mark.kafka

TOO_SMALL = 150
"""Bytes: less than any account, point event or dead letter takes, more than the record of a partition's time."""


@pytest.mark.parametrize("refusing", ["points-events", "changelog"])
def test_nothing_of_a_refused_transaction_is_seen(deployment: Deployment, seed: int, refusing: str) -> None:
    topic = deployment.settings.changelog if refusing == "changelog" else deployment.settings.topic(refusing)
    worker = deployment.worker("only")
    deployment.send(story(seed, 1_000))
    deployment.wait_done(worker)
    committed, visible = deployment.committed(), _everything(deployment)

    deployment.limit_record_bytes(topic, TOO_SMALL)
    # A story of other customers: the first record of each topic makes outputs, so no offset may move.
    deployment.send(story(seed + 1, 2_000))
    _wait_for_three_tries(worker, lambda: deployment.committed() != committed)
    assert deployment.committed() == committed
    assert _everything(deployment) == visible

    deployment.limit_record_bytes(topic, None)
    deployment.wait_done(worker)
    worker.terminate()
    report = verify_outputs(deployment.facts, deployment.outputs())
    verify_tables(report.customers, deployment.changelog(), report.times)


def test_nothing_moves_past_a_dead_letter_that_was_refused(deployment: Deployment, seed: int) -> None:
    facts = story(seed, 3_000)
    worker = deployment.worker("only")
    deployment.send(facts[:1_000])
    deployment.wait_done(worker)
    before = len(deployment.outputs())

    deployment.limit_record_bytes(deployment.settings.topic("dead-letters"), TOO_SMALL)
    bad = [
        deployment.send_raw("orders", partition, b"somebody", b"not json" + b" " * 200)
        for partition in range(PARTITIONS)
    ]
    deployment.send(facts[1_000:])
    orders = len([fact for fact in facts[:1_000] if fact.topic == "orders"])
    _wait_for_three_tries(worker, lambda: _committed(deployment, "orders") > orders)
    committed = {tp: offset for tp, offset in deployment.committed().items() if tp.topic == bad[0].topic}
    assert committed == {record.topic_partition: record.offset for record in bad}
    assert not deployment.dead_letters()

    deployment.limit_record_bytes(deployment.settings.topic("dead-letters"), None)
    deployment.wait_done(worker)
    worker.terminate()
    letters = [(letter.partition, letter.value) for letter in deployment.dead_letters()]
    assert sorted(letters) == [(partition, b"not json" + b" " * 200) for partition in range(PARTITIONS)]
    report = verify_outputs(facts, deployment.outputs())
    assert report.outputs > before
    verify_tables(report.customers, deployment.changelog(), report.times)


def _wait_for_three_tries(worker: Worker, gone_wrong: Callable[[], bool]) -> None:
    def tried() -> bool:
        return gone_wrong() or all(
            worker.metric("loyalty_task_restarts_total", partition=str(partition), error="LogError") >= 3
            for partition in range(PARTITIONS)
        )

    worker.wait_until(tried, "three tries on each partition")


def _committed(deployment: Deployment, kind: str) -> int:
    topic = deployment.settings.topic(kind)
    return sum(offset for tp, offset in deployment.committed().items() if tp.topic == topic)


def _everything(deployment: Deployment) -> list[list[Seen]]:
    return [sorted(each) for each in (deployment.outputs(), deployment.changelog())]
