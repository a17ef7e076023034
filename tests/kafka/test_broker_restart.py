"""The broker dies in the midst of a transaction and comes back: the worker goes on by itself."""

import random
import signal
from collections.abc import Callable

import pytest
from deployment import Deployment
from story import story
from verifier import verify_outputs, verify_tables

from loyalty_stream.app.local_broker import ApacheKafka

pytestmark = pytest.mark.kafka


def test_broker_killed_in_mid_transaction(
    kafka_at_hand: None, deploy: Callable[..., Deployment], seed: int
) -> None:
    facts = story(seed, 30_000)
    fault = ("SIGSTOP", random.Random(seed).randrange(20, 60), "writing")
    # Kafka's own session: it has to run out before the node comes back.
    with ApacheKafka(settings={"broker.session.timeout.ms": "9000"}) as broker:
        deployment = deploy(broker.bootstrap_servers)
        deployment.send(facts)
        worker = deployment.worker("only", faults=[fault], batch_records=200)
        worker.wait_stopped()
        assert 0 < deployment.progress() < len(facts)
        broker.kill()
        asleep = len(worker.text)
        worker.signal(signal.SIGCONT)
        worker.wait_until(lambda: "; starting over" in worker.text[asleep:], "the worker noticed")
        broker.restart()
        deployment.wait_done(worker)
        worker.terminate()
        report = verify_outputs(facts, deployment.outputs())
        verify_tables(report.customers, deployment.changelog(), report.times)
        deployment.close()
