"""The command line: what it says of itself, and how it tells what a user can mend."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from loyalty_stream.app.complete_journey import PROGRAMME_FILE
from loyalty_stream.app.local_broker import ApacheKafka
from loyalty_stream.app.local_broker.loopback import free_port
from loyalty_stream.cli import main
from loyalty_stream.cli.options import OptionError, read_connection

COMMANDS = (
    ("worker",),
    ("topics", "create"),
    ("verify",),
    ("account",),
    ("import", "complete-journey"),
    ("simulate",),
    ("demo",),
    *(("report", kind) for kind in ("campaign", "programme", "finance", "feedback", "merchant")),
)


@pytest.fixture
def cli(monkeypatch, capsys):
    """Runs a command in this process and answers with its status, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["loyalty-stream", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def run_apart(*arguments, **env):
    return subprocess.run(
        [sys.executable, "-m", "loyalty_stream.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_with_an_example_and_its_exit_statuses(cli, command):
    status, out, _ = cli(*command, "--help")
    assert status == 0
    example = f"  loyalty-stream {' '.join(command)}"
    assert any(line.startswith(example) for line in out.splitlines()), "an example has a line of its own"
    assert "\\b" not in out
    assert "Exit status: 0" in out


def test_options_can_be_environment_variables(cli):
    _, out, _ = cli("worker", "--help")
    for name in ("BOOTSTRAP_SERVERS", "PROGRAMME", "CLOCK", "GUARANTEE", "INSTANCE_ID", "WEB_PORT", "APP_ID"):
        assert f"LOYALTY_{name}" in out.replace("\n", "").replace(" ", "")


def test_all_mistakes_of_a_programme_are_told_by_their_key_path(cli, tmp_path):
    programme = tmp_path / "programme.toml"
    programme.write_text('[programme]\nid = "x"\nversion = 0\n[redemption]\nstep = -1\nstpe = 2\n')
    status, out, err = cli("worker", "--programme", programme)
    assert status == 2
    assert out == ""
    for path in ("programme.version", "redemption.step", "redemption.stpe"):
        assert path in err
    assert f"{programme}:3" in err
    assert "Traceback" not in err


def test_a_programme_that_is_not_there(cli, tmp_path):
    status, _, err = cli("worker", "--programme", tmp_path / "none.toml")
    assert status == 2
    assert "cannot be read" in err


@pytest.mark.parametrize("command", [("topics", "create"), ("verify",), ("account", "1")], ids=" ".join)
def test_a_broker_that_does_not_answer_is_one_message(command):
    ran = run_apart(*command, "--bootstrap-servers", f"127.0.0.1:{free_port()}")
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert "Does a broker listen" in ran.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("security_protocol = 1", "security_protocol: the value must be text"),
        ('sasl_password = "x"', "sasl_password: no such key"),
        ("x", "is not TOML"),
        ('security_protocol = "SSL"\nssl_cafile = "/none"', "TLS files"),
    ],
)
def test_a_connection_file_with_a_mistake(tmp_path, text, said):
    file = tmp_path / "connection.toml"
    file.write_text(text)
    with pytest.raises(OptionError, match=said):
        read_connection(file)


def test_a_connection_file(tmp_path):
    file = tmp_path / "connection.toml"
    file.write_text(
        'security_protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "PLAIN"\nsasl_plain_username = "u"\n'
    )
    assert read_connection(file) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
    }


def test_import_to_a_file_writes_an_event_a_line_and_the_report(cli, tmp_path):
    file = tmp_path / "events.jsonl"
    status, _, err = cli("import", "complete-journey", "--baskets", 50, "--to-file", file)
    assert status == 0
    events = [json.loads(line) for line in file.read_text().splitlines()]
    orders = [event for event in events if event["type"] == "order-paid"]
    report = dict(line.split() for line in err.splitlines() if len(line.split()) == 2)
    assert len(orders) == int(report["orders"]) > 40
    assert len(events) == int(report["orders"]) + int(report["registrations"])


def test_import_of_days_that_make_no_sense(cli):
    status, _, err = cli("import", "complete-journey", "--from", "2017-03-02", "--until", "2017-03-01")
    assert status == 2
    assert "2017-03-01" in err


def test_simulate_reads_the_imported_events(cli, tmp_path):
    file = tmp_path / "events.jsonl"
    cli("import", "complete-journey", "--baskets", 20, "--to-file", file)
    ran = run_apart("simulate", "--programme", PROGRAMME_FILE, "--balances", file)
    assert ran.returncode == 0
    balances = [json.loads(line) for line in ran.stdout.splitlines()]
    customers = {json.loads(line)["subject"] for line in file.read_text().splitlines()}
    assert {balance["customer"] for balance in balances} == customers
    assert all(balance["granted"] >= 150 for balance in balances)  # registration and first purchase


@pytest.mark.kafka
def test_topics_create_is_idempotent_and_tells_what_differs(kafka: ApacheKafka, cli):
    where = ("--bootstrap-servers", kafka.bootstrap_servers, "--topic-prefix", "cli.", "--app-id", "cli")
    status, out, _ = cli("topics", "create", "--partitions", 2, *where)
    assert status == 0
    assert out.count(" created\n") == len(out.splitlines()) >= 10
    status, out, _ = cli("topics", "create", "--partitions", 2, *where)
    assert status == 0
    assert out.count(" as planned\n") == len(out.splitlines()) >= 10
    status, out, _ = cli("topics", "create", "--partitions", 3, *where)
    assert status == 1
    assert "DIFFERS: has 2 partitions, not 3" in out


@pytest.mark.kafka
def test_missing_topics_are_named_with_what_to_do(kafka: ApacheKafka):
    where = ("--bootstrap-servers", kafka.bootstrap_servers, "--topic-prefix", "none.")
    ran = run_apart("worker", "--programme", PROGRAMME_FILE, "--web-port", free_port(), *where)
    assert ran.returncode == 2
    assert "none.orders" in ran.stderr
    assert "topics create" in ran.stderr
    ran = run_apart("verify", *where)
    assert ran.returncode == 2
    assert "none.points-events" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_web_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run_apart("worker", "--programme", PROGRAMME_FILE, "--web-port", port)
    assert ran.returncode == 2
    assert f"127.0.0.1:{port}" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.kafka
def test_a_worker_tells_its_guarantee_and_ends_with_0(kafka: ApacheKafka, cli, tmp_path: Path):
    where = ("--bootstrap-servers", kafka.bootstrap_servers, "--topic-prefix", "cliw.", "--app-id", "cliw")
    cli("topics", "create", "--partitions", 2, *where)
    command = ("worker", "--programme", PROGRAMME_FILE, "--web-port", free_port(), *where)
    worker = subprocess.Popen(
        [sys.executable, "-m", "loyalty_stream.cli", *map(str, command)], stderr=subprocess.PIPE, text=True
    )
    told = []
    with worker.stderr as lines:
        for line in lines:
            told.append(line)
            if "restored 0 accounts" in line and sum("restored" in each for each in told) == 2:
                worker.send_signal(signal.SIGTERM)
    log = "".join(told)
    assert worker.wait(60) == 0
    assert "guarantee in force: exactly_once" in log
    assert told[-1].endswith("stopped\n")
    assert all(line.startswith("20") for line in told), "one line a record, the time first"
