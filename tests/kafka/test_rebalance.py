"""Workers come and go in order while facts flow in; and what a worker says of itself meanwhile."""

from pathlib import Path

import pytest
from deployment import PARTITIONS, Deployment
from story import endless_story, story
from verifier import verify_outputs, verify_tables
from worker_process import Worker, wait_until

pytestmark = pytest.mark.kafka

EVERYTHING = {f"ledger-{partition}" for partition in range(PARTITIONS)}


def test_rebalances_under_load(deployment: Deployment, seed: int) -> None:
    first = deployment.worker("first", static=False, batch_records=500)
    _at_work([first])
    deployment.feed(endless_story(seed))
    second = deployment.worker("second", static=False, batch_records=500)
    _at_work([first, second])
    deployment.wait_for_progress(1_000, by=second)
    first.terminate()
    _at_work([second])
    deployment.wait_for_progress(1_000, by=second)
    third = deployment.worker("third", static=False, batch_records=500)
    _at_work([second, third])
    deployment.wait_for_progress(1_000, by=third)
    second.terminate()
    _at_work([third])
    deployment.finish_feeding()
    deployment.wait_done(third)
    third.wait_until(lambda: third.metric("loyalty_lag_records") == 0, "no lag")
    assert third.metric("loyalty_guarantee", guarantee="exactly_once") == 1
    assert third.metric("loyalty_guarantee", guarantee="effectively_once") == 0
    report = verify_outputs(deployment.facts, deployment.outputs())
    verify_tables(report.customers, deployment.changelog(), report.times)
    assert third.metric("loyalty_accounts", stage="ledger") == len(report.customers)
    assert third.metric("loyalty_partition_ready", stage="ledger") == PARTITIONS
    assert third.metric("loyalty_invariant_violations_total") == 0
    third.terminate()


def test_a_fetch_of_an_earlier_assignment_is_thrown_away(
    deployment: Deployment, tmp_path: Path, seed: int
) -> None:
    facts = story(seed, 40_000)
    deployment.send(facts)
    gate = tmp_path / "gate"
    first = deployment.worker("first", static=False, gate=gate, hold_a_fetch=True)
    first.wait_for("HOLDING a fetch")
    held = len(first.text)
    second = deployment.worker("second", static=False)
    first.wait_until(lambda: "Revoking previously" in first.text[held:], "the rebalance")
    # What was delivered goes with the old assignment, unapplied; the held fetch lies beyond it.
    gate.touch()
    _at_work([first, second])
    deployment.wait_done(first)
    first.terminate()
    second.terminate()
    report = verify_outputs(facts, deployment.outputs())
    verify_tables(report.customers, deployment.changelog(), report.times)


def test_metrics_count_what_is_committed(deployment: Deployment, seed: int) -> None:
    facts = story(seed, 5_000)
    worker = deployment.worker("only")
    deployment.send(facts)
    deployment.send_raw("orders", 0, None, b"not json")
    deployment.wait_done(worker)
    report = verify_outputs(facts, deployment.outputs())
    distinct = len({(fact.event["subject"], fact.event["id"]) for fact in facts})
    counted = {
        "loyalty_events_in_total": len(facts),
        "loyalty_duplicates_total": len(facts) - distinct,
        "loyalty_events_out_total": report.outputs,
        "loyalty_dead_letters_total": 1,
        "loyalty_task_restarts_total": 0,
        "loyalty_lag_records": 0,
        "loyalty_build_info": 1,
    }
    worker.wait_until(
        lambda: {name: worker.metric(name) for name in counted} == counted, f"the metrics {counted}"
    )
    assert worker.metric("loyalty_transaction_records_sum", stage="ledger") == len(facts) + 1
    for kind, count in report.by_type.items():
        assert worker.metric("loyalty_events_out_total", type=kind) == count
    granted = sum(customer.granted for customer in report.customers.values())
    assert worker.metric("loyalty_points_total", type="point-granted") == granted
    worker.terminate()


def _at_work(workers: list[Worker]) -> None:
    def shared() -> bool:
        parts = [worker.ready_partitions() for worker in workers]
        return all(parts) and sum(map(len, parts)) == PARTITIONS and set().union(*parts) == EVERYTHING

    wait_until(shared, f"{len(workers)} workers at work")
