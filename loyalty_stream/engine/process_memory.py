"""The memory of a process that keeps many states: huge pages for small objects, and rare looks for cycles.

What it does is for good and for the whole process, so it is done once, at a process's start, by its main program.
"""

import gc
from contextlib import suppress
from importlib import import_module


def settle() -> None:
    """Prepare the process for millions of small objects that make no cycles.

    CPython's default, a look at the young after 700 new containers, costs a third of the time of an event. What is
    there by now is looked at no more. Where the package is compiled (`make native`, on Linux), new objects go on huge
    pages: see native/huge_arenas.c.
    """
    with suppress(ImportError):
        import_module("loyalty_stream.engine.huge_arenas")
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 50, 1_000)
