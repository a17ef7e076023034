"""A worker restores its tables before it touches a record, however early the record comes."""

import json
from pathlib import Path

import pytest
from deployment import PARTITIONS, Deployment
from story import story
from verifier import verify_outputs, verify_tables

pytestmark = pytest.mark.kafka


def test_records_that_come_before_the_restore_wait(deployment: Deployment, tmp_path: Path, seed: int) -> None:
    facts = story(seed, 40_000)
    deployment.send(facts[:20_000])
    first = deployment.worker("only")
    deployment.wait_done(first)
    first.terminate()

    gate = tmp_path / "gate"
    worker = deployment.worker("only", gate=gate)
    worker.wait_until(lambda: "restoring" in worker.get("/readyz")[1], "the worker restores")
    before = deployment.progress()
    deployment.send(facts[20_000:])
    for partition in range(PARTITIONS):
        worker.wait_for(f"orders-{partition} before ready")
    status, body = worker.get("/readyz")
    assert status == 503
    restoring = dict.fromkeys([f"ledger-{partition}" for partition in range(PARTITIONS)], False)
    said = json.loads(body)
    assert said["status"] == "restoring"
    assert said["partitions"].items() >= restoring.items()
    assert deployment.progress() == before
    gate.touch()
    worker.wait_until(lambda: worker.get("/readyz")[0] == 200, "the worker is ready")
    deployment.wait_done(worker)
    worker.terminate()
    report = verify_outputs(facts, deployment.outputs())
    verify_tables(report.customers, deployment.changelog(), report.times)
