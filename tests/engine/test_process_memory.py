import subprocess
import sys

PROGRAM = """
import gc, sys
from importlib.util import find_spec
from loyalty_stream.engine import process_memory

def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4 // 1024

process_memory.settle()
compiled = find_spec("loyalty_stream.engine.huge_arenas") is not None
assert compiled == ("loyalty_stream.engine.huge_arenas" in sys.modules)
assert gc.get_threshold() == (1_000_000, 50, 1_000)
assert gc.get_freeze_count() > 0
before = resident_mib()
for turn in range(3):
    objects = [(number, str(number)) for number in range(1_000_000)]
    assert objects[999_999] == (999_999, "999999")
    full = resident_mib()
    del objects
    assert full - before > 100
    assert resident_mib() - before < 60, (turn, resident_mib(), before)
print("compiled" if compiled else "interpreted")
"""


def test_a_settled_process_gives_back_what_it_no_longer_needs() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() in ("compiled", "interpreted")
