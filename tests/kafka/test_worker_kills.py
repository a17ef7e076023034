"""Workers that die by `kill -9` in the midst of transactions: nothing is lost, nothing is there twice."""

import random

import pytest
from deployment import PARTITIONS, Deployment
from injected_worker import STEPS
from story import endless_story, story
from verifier import verify_outputs, verify_tables

pytestmark = pytest.mark.kafka

KILLS = len(STEPS)
BATCH = 500
FACTS = 100_000
"""More than all that is begun before the last kill: KILLS x (2 x PARTITIONS + 17) transactions of BATCH, 87,500."""


def test_kills_in_mid_transaction(deployment: Deployment, seed: int) -> None:
    chance = random.Random(seed)
    facts = story(seed, FACTS)
    deployment.send(facts)
    steps = chance.sample(STEPS, KILLS)  # every step once, in any order
    for step in steps:
        # Of 2 x PARTITIONS + 1 transactions that were begun, one a partition at a time, some are committed.
        fault = ("SIGKILL", chance.randrange(2 * PARTITIONS + 1, 2 * PARTITIONS + 18), step)
        before = deployment.progress()
        deployment.worker("only", faults=[fault], batch_records=BATCH).wait_killed()
        assert before < deployment.progress() < FACTS, "the kill was not in mid-run"
    worker = deployment.worker("only")
    deployment.wait_done(worker)
    worker.terminate()
    report = verify_outputs(facts, deployment.outputs())
    assert report.timed_out > 100
    assert report.by_type.keys() == {
        "point-granted", "point-held", "point-redeemed", "point-released", "account-noted", "command-rejected",
    }  # fmt: skip
    verify_tables(report.customers, deployment.changelog(), report.times)


def test_two_workers_kill_one_end_the_other(deployment: Deployment, seed: int) -> None:
    chance = random.Random(seed)
    fault = ("SIGKILL", chance.randrange(20, 60), chance.choice(STEPS))
    first = deployment.worker("first", faults=[fault], batch_records=200)
    second = deployment.worker("second", batch_records=200)
    everything = {f"ledger-{partition}" for partition in range(PARTITIONS)}

    def shared() -> bool:
        one, other = first.ready_partitions(), second.ready_partitions()
        return bool(one and other and not one & other and one | other == everything)

    second.wait_until(shared, "both workers at work")
    deployment.feed(endless_story(seed))
    first.wait_killed()
    first = deployment.worker("first", batch_records=200)
    second.wait_until(shared, "both workers at work again")
    deployment.wait_for_progress(1_000, by=second)
    second.terminate()
    first.wait_until(lambda: first.ready_partitions() == everything, "all partitions at the first worker")
    deployment.wait_for_progress(1_000, by=first)
    deployment.finish_feeding()
    deployment.wait_done(first)
    first.terminate()
    report = verify_outputs(deployment.facts, deployment.outputs())
    verify_tables(report.customers, deployment.changelog(), report.times)
