"""The export on a real Kafka: killed in the middle and resumed it has every record once, and under pseudonyms no name."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from deployment import Deployment
from story import story
from test_erased_customer import AFTER, end_of, facts_of, programme, work_off
from worker_process import wait_until

from loyalty_stream.analysis.directory import MANIFEST, read_manifest
from loyalty_stream.analysis.export import export
from loyalty_stream.analysis.source import connect
from loyalty_stream.app.settings import Settings
from loyalty_stream.app.verify import verify

pytestmark = pytest.mark.kafka

EXPORT_IN_SMALL_COMMITS = """
import asyncio, sys
from pathlib import Path
from loyalty_stream.analysis import directory
from loyalty_stream.analysis.export import export
from loyalty_stream.app.settings import Settings
directory.COMMIT_BYTES = 300_000
servers, app_id, prefix, path = sys.argv[1:]
asyncio.run(export(Settings(servers, app_id, prefix), Path(path)))
"""


def kill_an_export(settings: Settings, path: Path, commits: int) -> None:
    """Start an export in a process of its own and kill it when it has committed so often."""
    arguments = [settings.bootstrap_servers, settings.app_id, settings.topic_prefix, str(path)]
    process = subprocess.Popen([sys.executable, "-c", EXPORT_IN_SMALL_COMMITS, *arguments])
    try:
        wait_until(
            lambda: (path / MANIFEST).exists() and read_manifest(path).commits >= commits,
            f"{commits} commits",
        )
        assert process.poll() is None, "it was to be killed while it writes"
    finally:
        process.kill()
        process.wait()


def rows(path: Path, query: str) -> list[tuple]:
    with connect(path) as connection:
        return connection.sql(query).fetchall()


def test_an_export_that_was_killed_goes_on_where_it_stopped(
    deployment: Deployment, tmp_path: Path, seed: int
) -> None:
    facts, settings, path = story(seed, 24_000), deployment.settings, tmp_path / "export"
    deployment.send(facts[:20_000])
    worker = deployment.worker("only")
    deployment.wait_done(worker)
    kill_an_export(settings, path, 2)
    kill_an_export(settings, path, read_manifest(path).commits + 2)
    asyncio.run(export(settings, path))
    deployment.send(facts[20_000:])
    deployment.wait_done(worker)
    worker.terminate()
    report = asyncio.run(export(settings, path))
    assert sum(report.new[kind] for kind in report.new if kind != "points-events") == 4_000
    assert sum(asyncio.run(export(settings, path)).new.values()) == 0

    seen = {(each.partition, each.offset): json.loads(each.value) for each in deployment.outputs()}
    told = rows(path, 'SELECT partition, "offset", id, type, customer, data FROM points_events')
    assert len(told) == len(seen)
    for partition, offset, *event, data in told:
        sent = seen[partition, offset]
        assert event == [sent["id"], sent["type"], sent["subject"]]
        assert json.loads(data) == sent["data"]

    kept = rows(path, "SELECT customer, source, id, type, amount FROM facts")
    assert sorted(kept, key=str) == sorted(
        (
            (f.event["subject"], f.event["source"], f.event["id"], f.event["type"], goods(f.event))
            for f in facts
        ),
        key=str,
    )
    proof = asyncio.run(verify(settings))
    summed = "sum(granted), sum(redeemed), sum(expired), sum(available), sum(held), count(*)"
    assert rows(path, f"SELECT {summed} FROM accounts") == [
        (proof.granted, proof.redeemed, proof.expired, proof.available, proof.held, proof.accounts)
    ]


def goods(event: dict) -> int | None:
    return sum(line["amount"] for line in event["data"]["lines"]) if event["type"] == "order-paid" else None


def test_an_export_under_pseudonyms_names_nobody(deployment: Deployment, tmp_path: Path, seed: int) -> None:
    settings, path = deployment.settings, tmp_path / "export"
    victim, friend = f"victim-{seed}-x", f"friend-{seed}-x"
    facts = [*story(seed, 1_000), *facts_of(victim, friend)]
    asyncio.run(export(settings, path))
    deployment.send(facts)
    assert sum(asyncio.run(export(settings, path)).new.values()) == 0, "nobody knows yet how to name them"
    worker = deployment.worker("only", programme=programme(tmp_path))
    work_off(worker, len(facts) - 1 + 1)
    deployment.send([end_of(victim)])
    work_off(worker, len(facts) - 1 + 2)
    worker.terminate()
    deployment.send(story(seed + 1, 100))
    asyncio.run(export(settings, path))
    assert read_manifest(path).subject == "pseudonym"

    everything = [
        str(row) for view in ("points_events", "facts", "accounts") for row in rows(path, f"FROM {view}")
    ]
    names = {fact.event["subject"] for fact in facts}
    assert everything
    assert not [row for row in everything if any(f"'{name}'" in row or f'"{name}"' in row for name in names)]
    assert not [row for row in everything if "victim" in row or "friend" in row]

    # What the ledger has read, and no more; under the token that its point events have; the erased under none.
    customers = dict(rows(path, "SELECT customer, count(*) FROM facts GROUP BY 1"))
    of_victim = sum(fact.event["subject"] == victim for fact in facts)
    assert customers.pop(None) == of_victim + 2  # and the erasure itself, and the reward as a referrer
    assert set(customers) <= {row[0] for row in rows(path, "SELECT customer FROM accounts")}
    by_name = sorted(sum(fact.event["subject"] == name for fact in facts) for name in names - {victim})
    assert sorted(customers.values()) == by_name
    assert rows(path, f"SELECT count(*) FROM facts WHERE time > '{AFTER}' AND customer IS NOT NULL") == [(2,)]
