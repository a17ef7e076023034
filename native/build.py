"""Compile the hot modules with mypyc into a copy of the package: the same code in a third of the time.

python native/build.py build/native      then put that directory first on PYTHONPATH

It needs a C compiler and the development lock. The sources are not touched, and nothing depends on the copy:
without it the same modules run interpreted. With GCC it compiles twice: the first copy runs `typical_load.py` and
notes what is executed, and the second has that code together and the rest out of the way.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # where Python is told not to (PYTHONSAFEPATH)
import held_names

ROOT = Path(__file__).parents[1]
# Modules that run for every record and define no msgspec struct: a struct is compiled already, and mypyc would
# drop its options (frozen, gc) without a word.
MODULES = (
    "analysis/what_if/replay.py",
    "analysis/what_if/tally.py",
    "app/account_table.py",
    "app/admission.py",
    "app/allocation.py",
    "app/ends_ahead.py",
    "app/ledger.py",
    "app/ledger_counts.py",
    "app/notifier.py",
    "app/outbox.py",
    "domain/account.py",
    "domain/activities.py",
    "domain/calendar.py",
    "domain/adjustments.py",
    "domain/allocation_book.py",
    "domain/allocations.py",
    "domain/campaign_answers.py",
    "domain/campaign_awards.py",
    "domain/campaign_book.py",
    "domain/campaign_budget.py",
    "domain/campaign_matching.py",
    "domain/campaign_multipliers.py",
    "domain/campaign_refunds.py",
    "domain/check_ins.py",
    "domain/completion.py",
    "domain/day_records.py",
    "domain/decide.py",
    "domain/evolve.py",
    "domain/expiry.py",
    "domain/fold_campaigns.py",
    "domain/fold_notes.py",
    "domain/fold_points.py",
    "domain/fold_rewards.py",
    "domain/grant_records.py",
    "domain/grants.py",
    "domain/holds.py",
    "domain/identity.py",
    "domain/journal.py",
    "domain/limits.py",
    "domain/lot_reader.py",
    "domain/lot_records.py",
    "domain/lots.py",
    "domain/memory_records.py",
    "domain/notifications.py",
    "domain/order_parts.py",
    "domain/order_records.py",
    "domain/orders.py",
    "domain/packed_lots.py",
    "domain/plain_value.py",
    "domain/purchase.py",
    "domain/refunds.py",
    "domain/referral.py",
    "domain/registration.py",
    "domain/restoring.py",
    "domain/resuming.py",
    "domain/retention.py",
    "domain/review_records.py",
    "domain/reviews.py",
    "domain/rewards.py",
    "domain/revoking.py",
    "domain/rounding.py",
    "domain/scope.py",
    "domain/shares.py",
    "domain/term_records.py",
    "domain/tiers.py",
    "domain/waiting.py",
    "engine/batches.py",
    "engine/fetched.py",
    "engine/inbox.py",
    "engine/stage.py",
    "engine/table.py",
    "engine/timers.py",
    "engine/value_store.py",
    "wire/account_codec.py",
    "wire/allocations.py",
    "wire/decode.py",
    "wire/decoded.py",
    "wire/instants.py",
    "wire/partitioning.py",
)
# Calls within the module need no look-up at run time: nobody replaces its functions. A fifteenth of an event.
# Flags of ours replace Python's own, of which these two matter: no assertions of CPython, integers that wrap.
FLAGS = "-DNDEBUG -fwrapv -fvisibility=hidden -fno-semantic-interposition -fno-plt"
STRUCTS = ROOT / "native/structs.h"
"""Included before all that mypyc makes."""


def build(target: Path) -> None:
    """Make `target` a directory with the compiled package in it."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(
        ROOT / "loyalty_stream", target / "loyalty_stream", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", target)
    modules = [f"loyalty_stream/{module}" for module in MODULES]
    _hold_names(target, modules)
    if _has_gcc():
        with tempfile.TemporaryDirectory() as profile:
            noting = f"-fprofile-generate -fprofile-update=single -fprofile-dir={shlex.quote(profile)}"
            compile_modules(target, modules, noting)
            _run_typical_load(target)
            if not list(Path(profile).glob("*__native_*.gcda")):
                sys.exit("the typical load left no profile")
            # What the load did not run is compiled as without a profile, not for size: it is not known to be rare.
            # The modules' own files only load the one that has all the code, before there is anything to note.
            knowing = f"-fprofile-use={shlex.quote(profile)} -fprofile-partial-training -Wno-missing-profile"
            compile_modules(target, modules, knowing)
    else:
        compile_modules(target, modules)
    if sys.platform == "linux":
        _build_huge_arenas(target / "loyalty_stream/engine")


def compile_modules(folder: Path, modules: list[str], more_flags: str = "") -> None:
    """Compile modules of a folder, where they are imported from; ends the program where that fails."""
    # Without a path of ours: only the copy may be found.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    flags = (FLAGS, "-include", shlex.quote(str(STRUCTS)), more_flags, environment.get("CFLAGS", ""))
    environment["CFLAGS"] = " ".join(flags)
    # The profile knows functions by the code that mypyc makes, which must be the same each time.
    environment["PYTHONHASHSEED"] = "0"
    command = [sys.executable, "-m", "mypyc", *modules]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"{ran.stdout}\n{ran.stderr}\nmypyc could not compile; is there a C compiler?")
    shutil.rmtree(folder / "build")


def _has_gcc() -> bool:
    """Whether what compiles is GCC, whose profiles these are."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    ran = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return "Free Software Foundation" in ran.stdout


def _run_typical_load(target: Path) -> None:
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}
    subprocess.run([sys.executable, str(ROOT / "native/typical_load.py")], env=environment, check=True)


def _hold_names(target: Path, modules: list[str]) -> None:
    interpreted = {
        f"{'.'.join(path.relative_to(target).with_suffix('').parts)}.{name}"
        for path in (target / "loyalty_stream").rglob("*.py")
        if str(path.relative_to(target)) not in modules
        for name in held_names.defined(path.read_text())
    }
    for module in modules:
        path = target / module
        path.write_text(held_names.hold(path.read_text(), interpreted))


def _build_huge_arenas(folder: Path) -> None:
    compiler = os.environ.get("CC", "cc")
    compiled = folder / f"huge_arenas{sysconfig.get_config_var('EXT_SUFFIX')}"
    command = [compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}"]
    subprocess.run([*command, str(ROOT / "native/huge_arenas.c"), "-o", str(compiled)], check=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
