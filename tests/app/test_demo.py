"""The demo as a whole: the same year on both brokers, and nothing left behind when it is interrupted."""

import dataclasses
import io
import os
import signal
import subprocess
import sys
from functools import cached_property

import pytest
from rich.console import Console

from loyalty_stream.app import demo
from loyalty_stream.app.complete_journey import PreparedImport, prepare_import


class FewHouseholds:
    """A year of some households: few baskets, and points expire all the same."""

    def __init__(self, whole: PreparedImport, below: int) -> None:
        self.chosen = [fact for fact in whole.facts() if int(fact.key) < below]
        self.whole = whole

    def facts(self):
        return iter(self.chosen)

    @property
    def fact_count(self):
        return len(self.chosen)

    @cached_property
    def report(self):
        registrations = sum(fact.topic == "registrations" for fact in self.chosen)
        orders = len(self.chosen) - registrations
        return dataclasses.replace(self.whole.report, orders=orders, registrations=registrations)


@pytest.fixture(scope="module")
def year() -> FewHouseholds:
    return FewHouseholds(prepare_import(), below=50)


def run_demo(year, monkeypatch, broker):
    """The status, what was shown, and all that was summed up."""
    summaries = []

    class Kept(demo.Summary):
        def __init__(self, programme):
            super().__init__(programme)
            summaries.append(self)

    monkeypatch.setattr(demo, "Summary", Kept)
    out = Console(file=io.StringIO(), width=120)
    status = demo.run(year, demo.DemoOptions(broker=broker), out=out)
    return status, out.file.getvalue(), summaries[-1]


@pytest.mark.kafka
def test_both_brokers_come_to_the_same_balances(kafka_at_hand, year, monkeypatch):
    status, shown, on_kafka = run_demo(year, monkeypatch, "apache-kafka")
    assert status == 0, shown
    assert "guarantee in force: exactly_once" in shown
    status, shown, on_embedded = run_demo(year, monkeypatch, "embedded")
    assert status == 0, shown
    assert "guarantee in force: effectively_once" in shown
    assert sum(customer.expired for customer in on_kafka.customers) > 0
    assert len(on_kafka.customers) == year.report.registrations
    assert set(on_kafka.customers) == set(on_embedded.customers)
    assert on_kafka.granted_for == on_embedded.granted_for
    assert on_kafka.rewarded == on_embedded.rewarded
    assert on_kafka.rewarded.total() == (500 + 9 * 100) * 11  # the last month is still open
    # A reward is granted when all partitions have passed the month; by then its own may have passed the warning.
    for customer in on_kafka.warned.keys() - on_kafka.rewarded.keys():
        assert on_kafka.warned[customer] == on_embedded.warned[customer]


@pytest.mark.parametrize(
    ("options", "seen", "number", "status"),
    [
        (["--keep"], "Broker and worker run until Ctrl-C", signal.SIGINT, 0),
        ([], "published", signal.SIGINT, 130),
        ([], "broker", signal.SIGTERM, 130),
        ([], "applied", signal.SIGTERM, 130),
    ],
)
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path, tmp_path_factory, options, seen, number, status):
    reports = tmp_path_factory.mktemp("reports")
    command = [
        sys.executable,
        "-m",
        "loyalty_stream.cli",
        "demo",
        "--broker",
        "embedded",
        "--baskets",
        "3000",
        "--reports",
        str(reports),
    ]
    process = subprocess.Popen(
        [*command, *options],
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith(seen):
            os.killpg(process.pid, number)  # as a terminal does it: to the whole group
            break
    _, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    written = {each.name for each in reports.iterdir()}
    assert written == ({"programme.html", "campaign-26.html"} if options else set())


def test_without_a_broker_to_be_had_it_says_so(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "loyalty_stream.cli", "demo", "--broker", "apache-kafka", "--baskets", "10"],
        env={**os.environ, "PATH": str(tmp_path), "JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert "Java 17" in ran.stderr
    assert "Traceback" not in ran.stderr
