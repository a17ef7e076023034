"""With nothing left to read, the wall clock lets what is due fall due."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from deployment import Deployment
from story import SHANGHAI, cloud_event
from verifier import verify_outputs, verify_tables
from worker_process import HERE

pytestmark = pytest.mark.kafka


def test_a_hold_times_out_without_new_input(deployment: Deployment, tmp_path: Path) -> None:
    programme = tmp_path / "programme.toml"
    text = (HERE / "programme.toml").read_text()
    programme.write_text(text.replace('hold_timeout = "PT30M"', 'hold_timeout = "PT2S"'))
    worker = deployment.worker("only", programme=programme, clock="wall")
    now = datetime.now(SHANGHAI)
    facts = [
        cloud_event("registrations", "customer-registered", "anna", "r1", now, {}),
        cloud_event("points-commands", "hold-points", "anna", "h1", now, {"hold_id": "h1", "points": 100}),
    ]
    deployment.send(facts)
    worker.wait_until(lambda: len(deployment.outputs()) == 3, "the hold timed out")
    worker.terminate()
    outputs = deployment.outputs()
    released = json.loads(outputs[-1].value)
    assert released["type"] == "point-released"
    assert released["data"]["reason"] == "timed_out"
    assert released["data"]["cause"] == {"source": "loyalty-stream", "id": "h1:timed-out"}
    assert deployment.done()
    due = datetime.fromisoformat(released["time"])
    assert due == datetime.fromisoformat(facts[1].event["time"]) + timedelta(seconds=2)
    report = verify_outputs(facts, outputs[:2], hold_timeout=timedelta(seconds=2))
    anna = report.customers["anna"]
    assert (anna.available, anna.held) == (0, 100)
    anna.available, anna.held, anna.holds["h1"].state = 100, 0, "released"
    assert released["data"]["balance"] == anna.balance
    verify_tables(report.customers, deployment.changelog())
