"""Erasure under pseudonyms: once the compacted topics are cleaned, nothing of ours names the customer any more."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from deployment import PARTITIONS, Deployment, partition_of
from story import LASTS, STARTS_AT, cloud_event, story
from worker_process import HERE, Worker, wait_until

from loyalty_stream.app import account_view, topics
from loyalty_stream.app.local_broker import ApacheKafka
from loyalty_stream.app.sealed_letters import open_letters
from loyalty_stream.app.settings import INPUTS
from loyalty_stream.app.verify import verify

pytestmark = pytest.mark.kafka

AFTER = STARTS_AT + LASTS + timedelta(days=1)
CLEANED_WITHIN_S = 150.0
"""The cleaner looks every 15 seconds, and one topic after the other."""
SOON = {
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "1000",
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": "100",
    "segment.ms": "1000",
    "file.delete.delay.ms": "100",
}
"""A day and more in production (docs/privacy.md), seconds here."""


def programme(directory: Path) -> Path:
    """The tests' programme, under pseudonyms, with a reward for referrers."""
    text = (HERE / "programme.toml").read_text()
    path = directory / "pseudonym.toml"
    path.write_text(f'{text}\n[earning.referral]\nreferrer_points = 70\n[privacy]\nsubject = "pseudonym"\n')
    return path


def facts_of(victim: str, friend: str):
    """Something of every kind that could keep an id: points, a hold, a waiting order, a referral, letters."""

    def fact(kind: str, event: str, name: str, minutes: int, data: dict):
        return cloud_event(kind, event, name, f"e-{minutes}", AFTER + timedelta(minutes=minutes), data)

    def order(order_id: str, **more: str) -> dict:
        lines = [{"line_id": "1", "sku": "tea", "quantity": 1, "amount": 50_000}]
        return {"order_id": order_id, "currency": "CNY", "lines": lines, **more}

    return [
        fact("registrations", "customer-registered", victim, 0, {}),
        fact("orders", "order-paid", victim, 1, order("v-1")),
        fact("points-commands", "hold-points", victim, 2, {"hold_id": "v-h", "points": 100}),
        fact("points-commands", "hold-points", victim, 3, {"hold_id": "v-h2", "points": 10**9}),
        fact("orders", "order-paid", victim, 4, order("v-2", hold_id="unseen")),
        fact("orders", "order-paid", victim, 5, {**order("v-3"), "currency": "USD"}),
        fact("registrations", "customer-registered", friend, 6, {"referred_by": victim}),
        fact("orders", "order-paid", friend, 7, order("f-1")),
    ]


def end_of(victim: str):
    return cloud_event(
        "points-commands",
        "erase-customer",
        victim,
        "x-1",
        AFTER + timedelta(minutes=20),
        {"request_id": "x-1"},
    )


def check_ins(names: list[str], minutes: int) -> list:
    at = AFTER + timedelta(minutes=minutes)
    return [cloud_event("check-ins", "checked-in", name, f"k-{minutes}", at, {}) for name in names]


def on_every_partition(stem: str) -> list[str]:
    """Names of customers, one for each partition."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < PARTITIONS:
        name = f"{stem}-{number}"
        found.setdefault(partition_of(name.encode()), name)
        number += 1
    return list(found.values())


def work_off(worker: Worker, applied: int) -> None:
    """Wait until so many facts are applied and nothing is left."""
    worker.wait_until(
        lambda: (
            worker.metric("loyalty_events_in_total") >= applied and worker.metric("loyalty_lag_records") == 0
        ),
        f"{applied} facts applied",
    )


def ours(deployment: Deployment) -> list[str]:
    """Every topic of ours: all but those that the platform writes."""
    inputs = {deployment.settings.topic(kind) for kind in (*INPUTS, "campaigns")}
    names = [plan.name for plan in topics.plan(deployment.settings, PARTITIONS)]
    return [name for name in names if name not in inputs and not name.endswith("__leader")]


def files(kafka: ApacheKafka, deployment: Deployment) -> Iterator[Path]:
    """Every file of our topics on the broker's disk, and every file that workers wrote."""
    stems = tuple(f"{name}-" for name in ours(deployment))
    for path in Path(kafka.data_dir).rglob("*"):
        if path.is_file() and path.parent.name.startswith(stems):
            yield path
    yield from (path for path in deployment.directory.rglob("*") if path.is_file())


def places_of(name: str, kafka: ApacheKafka, deployment: Deployment) -> list[str]:
    """Where the name still stands, in any topic of ours and any file."""
    wanted = name.encode()
    found = []
    for topic in ours(deployment):
        for seen in deployment.read(topic):
            parts = [seen.key, seen.value, *(part for _, part in seen.headers)]
            if any(wanted in part for part in parts if part):
                found.append(f"{topic}-{seen.partition}@{seen.offset}")
    for path in files(kafka, deployment):
        try:
            if wanted in path.read_bytes():
                found.append(str(path))
        except FileNotFoundError:
            continue  # the cleaner was faster
    return found


def test_nothing_of_ours_names_an_erased_customer(
    kafka: ApacheKafka, deployment: Deployment, tmp_path: Path, seed: int
) -> None:
    victim, friend = f"victim-{seed}-x", f"friend-{seed}-x"
    for topic in (name for name in ours(deployment) if name.endswith(("-changelog", "identities"))):
        deployment.configure(topic, SOON)
    worker = deployment.worker("only", programme=programme(tmp_path))
    facts = story(seed, 2_000)
    deployment.send([*facts, *facts_of(victim, friend)])
    unreadable = b'{"type": "order-paid", "subject": "' + victim.encode()
    deployment.send_raw("orders", partition_of(victim.encode()), victim.encode(), unreadable)
    applied = len(facts) + 7 + 1  # the order in dollars is set aside; the referrer's reward comes from us
    work_off(worker, applied)

    settings = deployment.settings
    view = asyncio.run(account_view.look_up(settings, victim))
    assert view is not None
    assert (view.account.held, view.account.available) == (100, 100 + 500 + 50 - 100 + 70)
    letters = asyncio.run(open_letters(settings, victim))
    assert letters is not None
    assert {letter.verdict.reason.value for letter in letters} == {"wrong_currency", "not_json"}
    assert unreadable in {letter.original.value for letter in letters}
    tokens = {seen.key for seen in deployment.outputs()}
    places = places_of(victim, kafka, deployment)
    assert places, "it must be found where it is"
    assert not [place for place in places if settings.topic("identities") not in place]

    deployment.send([end_of(victim)])
    work_off(worker, applied + 1)
    before = asyncio.run(verify(settings))
    assert (before.differences, before.unbalanced) == (0, 0)

    # Segments are rolled by what is written next, and only then looked at by the cleaner.
    rounds = 0

    def gone() -> bool:
        nonlocal rounds
        rounds += 1
        deployment.send(check_ins(on_every_partition(f"later-{rounds}"), 30 + rounds))
        return not places_of(victim, kafka, deployment)

    wait_until(gone, f"{victim} is gone", CLEANED_WITHIN_S)
    work_off(worker, applied + 1 + rounds * PARTITIONS)
    assert asyncio.run(account_view.look_up(settings, victim)) is None
    assert asyncio.run(open_letters(settings, victim)) is None

    deployment.send(check_ins([victim], 500))
    work_off(worker, applied + 2 + rounds * PARTITIONS)
    anew = asyncio.run(account_view.look_up(settings, victim))
    assert anew is not None
    assert (anew.account.granted, len(anew.events)) == (2, 1)
    assert anew.events[0].subject.encode() not in tokens
    report = asyncio.run(verify(settings))
    assert (report.differences, report.unbalanced) == (0, 0), report.first
    assert report.accounts == before.accounts + rounds * PARTITIONS + 1
    worker.terminate()
