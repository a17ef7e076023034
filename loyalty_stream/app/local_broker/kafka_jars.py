"""Where Java, Maven and the jars of Apache Kafka are. Downloads and caches; starts no broker."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from loyalty_stream.app.local_broker.broker import BrokerUnavailableError

_POM = Path(__file__).with_name("pom.xml")
_OLDEST_JAVA = 17  # Kafka 4's broker
_JAVA_SAYS_ITS_VERSION_WITHIN_S = 30
_MAVEN_COPIES_WITHIN_S = 900  # 45 jars, 43 MB, took 45 s


def kafka_version() -> str:
    """Return the version of Apache Kafka that pom.xml pins."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", _POM.read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError(f"{_POM} names no <kafka.version>")
    return found.group(1)


def jar_directory() -> Path:
    """Return where the jars are, or will be, cached: outside any clone, shared by all of this user's."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "loyalty-stream" / f"kafka-{kafka_version()}"


def find_java() -> Path:
    """Return a `java` of version 17 or later, from JAVA_HOME, then PATH, or raise BrokerUnavailableError."""
    tried: list[str] = []
    for java in _java_candidates():
        major = _java_major(java)
        if major >= _OLDEST_JAVA:
            return java
        tried.append(f"{java} is version {major or 'unknown'}")
    raise BrokerUnavailableError(
        f"Java {_OLDEST_JAVA} or later not found in JAVA_HOME or PATH"
        + (f" ({'; '.join(tried)})" if tried else "")
        + "; install a JRE, or set JAVA_HOME"
    )


def why_unavailable() -> str | None:
    """Return None if a real Kafka can be had here (Java, and Maven or cached jars), else what is missing."""
    try:
        find_java()
        if not jar_directory().is_dir():
            _find_maven()
    except BrokerUnavailableError as missing:
        return str(missing)
    return None


def fetch_jars() -> Path:
    """Return the directory of the jars, downloading them first if they are not cached.

    Safe against other processes doing the same: each downloads for itself, and the first to finish wins.
    """
    jars = jar_directory()
    if jars.is_dir():
        return jars
    maven = _find_maven()
    jars.parent.mkdir(parents=True, exist_ok=True)
    # A sibling, so that the rename stays within one file system: the directory is there whole or not at all.
    with tempfile.TemporaryDirectory(
        prefix=f".{jars.name}-", dir=jars.parent, ignore_cleanup_errors=True
    ) as scratch:
        fresh = Path(scratch, "jars")
        _copy_dependencies(maven, fresh)
        try:
            fresh.rename(jars)
        except OSError:
            if not jars.is_dir():
                raise
    return jars


def _java_candidates() -> list[Path]:
    home = os.environ.get("JAVA_HOME")
    in_home = [Path(home, "bin", "java")] if home else []
    on_path = shutil.which("java")
    return [java for java in [*in_home, *([Path(on_path)] if on_path else [])] if java.is_file()]


def _java_major(java: Path) -> int:
    """Return 17 for 'version "17.0.15"', 8 for 'version "1.8.0_392"', 0 if it does not say."""
    try:
        said = subprocess.run(  # noqa: S603 - found by us, no shell
            [str(java), "-version"],
            capture_output=True,
            text=True,
            timeout=_JAVA_SAYS_ITS_VERSION_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(found.group(1)) if found else 0


def _find_maven() -> str:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerUnavailableError(
            f"Maven (mvn) not found in PATH, and {jar_directory()} has no jars of Kafka yet; install Maven"
        )
    return maven


def _copy_dependencies(maven: str, into: Path) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={into}"]
    command = [maven, "-B", "-q", "-f", str(_POM), *goal]
    by_hand = f"run it by hand: {' '.join(command)}"
    try:
        ran = subprocess.run(  # noqa: S603 - found by us, no shell
            command,
            capture_output=True,
            text=True,
            timeout=_MAVEN_COPIES_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BrokerUnavailableError(
            f"Maven did not bring the jars of Kafka in {_MAVEN_COPIES_WITHIN_S} s; {by_hand}"
        ) from error
    if ran.returncode != 0 or not any(into.glob("kafka_*.jar")):
        tail = "\n".join((ran.stdout + ran.stderr).splitlines()[-15:])
        raise BrokerUnavailableError(
            f"Maven could not bring the jars of Kafka (exit {ran.returncode}); {by_hand}\n{tail}"
        )
