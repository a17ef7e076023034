"""A worker that sleeps in mid-transaction until another has its partitions: it must not commit when it wakes."""

import random
import signal
from pathlib import Path

import pytest
from deployment import PARTITIONS, Deployment
from story import endless_story, story
from verifier import verify_outputs, verify_tables

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("step", ["sent", "committed"])
def test_zombie(deployment: Deployment, tmp_path: Path, seed: int, step: str) -> None:
    fault = ("SIGSTOP", random.Random(seed).randrange(5, 40), step)
    # It hears nothing of the group by itself, so what it knows when it wakes it has asked for.
    ears = tmp_path / "ears"
    zombie = deployment.worker("zombie", faults=[fault], ears=ears, batch_records=200)
    zombie.wait_until(lambda: len(zombie.ready_partitions()) == PARTITIONS, "the zombie-to-be at work")
    deployment.feed(endless_story(seed))
    zombie.wait_stopped()
    heir = deployment.worker("heir", batch_records=200)
    heir.wait_until(lambda: len(heir.ready_partitions()) == PARTITIONS, "all partitions at the heir")
    deployment.wait_for_progress(2_000, by=heir)
    asleep = len(zombie.text)
    zombie.signal(signal.SIGCONT)
    noticed = ("; starting over", "member_id was not recognized")
    zombie.wait_until(lambda: any(each in zombie.text[asleep:] for each in noticed), "the zombie noticed")
    ears.touch()
    zombie.wait_until(zombie.ready_partitions, "the zombie is a worker again")
    deployment.wait_for_progress(1_000, by=heir)
    deployment.finish_feeding()
    deployment.wait_done(heir)
    # The zombie asked the group before it started over, so it never shut out the heir.
    assert heir.metric("loyalty_task_restarts_total", error="FencedError") == 0
    heir.terminate()
    zombie.terminate()
    report = verify_outputs(deployment.facts, deployment.outputs())
    verify_tables(report.customers, deployment.changelog(), report.times)


def test_the_rightful_owner_comes_back_when_it_was_shut_out(deployment: Deployment, seed: int) -> None:
    facts = story(seed, 4_000)
    worker = deployment.worker("only")
    deployment.send(facts[:2_000])
    deployment.wait_done(worker)
    for partition in range(PARTITIONS):
        deployment.shut_out(partition)
    deployment.send(facts[2_000:])
    deployment.wait_done(worker)
    assert worker.metric("loyalty_task_restarts_total", error="FencedError") >= PARTITIONS
    worker.terminate()
    report = verify_outputs(facts, deployment.outputs())
    verify_tables(report.customers, deployment.changelog(), report.times)
