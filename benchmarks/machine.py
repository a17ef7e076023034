"""What the benchmarks ask of the machine: processor time and memory of a process, and what machine it is."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loyalty_stream.app.local_broker.kafka_jars import kafka_version

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
MIB: Final = 1024 * 1024


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, in steps of 10 ms on Linux."""
    # After the name, which may hold blanks and brackets: field 3 is first, so 14 and 15 are 11 and 12.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def resident_bytes(pid: int) -> tuple[int, int]:
    """Resident memory of a process now, and at its highest."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, highest = (
        int(found.group(1)) * 1024
        if (found := re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE))
        else 0
        for name in ("VmRSS", "VmHWM")
    )
    return now, highest


def busy_and_total() -> tuple[float, float]:
    """Processor time of the whole machine since it started, in seconds: not idle, and all."""
    ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    total = sum(ticks)
    return (total - ticks[3] - ticks[4]) / _TICKS_PER_SECOND, total / _TICKS_PER_SECOND


def describe() -> str:
    """The machine and the versions, in two lines."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    gib = int(memory.group(1)) / MIB if memory else 0.0
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {cpu.group(1) if cpu else platform.machine()}, {gib:.0f} GiB; "
        f"Python {platform.python_version()}, Apache Kafka {kafka_version()}\n"
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load before the start {load:.1f}"
    )
