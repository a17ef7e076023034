"""The embedded broker, which has no transactions: a consumer that keys on the event id sees each output once."""

import random
from collections.abc import Callable

import pytest
from deployment import Deployment
from story import story
from verifier import once_by_id, verify_outputs, verify_tables

from loyalty_stream.app.local_broker import BrokerUnavailableError, EmbeddedBroker
from loyalty_stream.app.local_broker.embedded import find_tansu


def test_effectively_once(deploy: Callable[..., Deployment], seed: int) -> None:
    try:
        find_tansu()
    except BrokerUnavailableError as missing:
        pytest.skip(str(missing))
    facts = story(seed, 20_000)
    chance = random.Random(seed)
    fault = ("SIGKILL", chance.randrange(5, 30), chance.choice(["appended", "writing", "sent"]))
    with EmbeddedBroker() as broker:
        deployment = deploy(broker.bootstrap_servers, plain=True)
        deployment.send(facts)
        deployment.worker("only", faults=[fault], batch_records=200).wait_killed()
        worker = deployment.worker("only")
        deployment.wait_done(worker)
        assert worker.metric("loyalty_guarantee", guarantee="effectively_once") == 1
        assert worker.metric("loyalty_guarantee", guarantee="exactly_once") == 0
        worker.terminate()
        report = verify_outputs(facts, once_by_id(deployment.outputs()))
        verify_tables(report.customers, deployment.changelog(), report.times)
        deployment.close()
