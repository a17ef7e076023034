"""What the compiled package is profiled on: the facts that a programme sees, by hand through the stages that see most.

It runs before the last compilation (`build.py`), so that the compiler knows which code runs and which hardly ever does.
The mix is that of the benchmarks, from another seed; a restore and accounts that are read again are part of it.
"""

from collections.abc import Iterable
from typing import Final

from benchmarks.full_workload import FULL_PROGRAMME, full_inputs
from benchmarks.workload import PROGRAMME, Input, inputs, rules
from loyalty_stream.app.allocation import AllocationSink, AllocationStage
from loyalty_stream.app.by_hand import Line, Network, StageByHand
from loyalty_stream.app.ledger import LedgerStage
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain.rules import Rules

SEED: Final = 2
FACTS: Final = 20_000
CUSTOMERS: Final = 3_000
BATCH: Final = 1_000
KEPT_DECODED: Final = 2_000
"""Fewer than there are customers, so that stored accounts are decoded, too."""


def run(programme: Rules, facts: Iterable[Input]) -> None:
    """Apply the facts in batches as the worker's tasks do, each stored at its end; before the last one, restore."""
    settings = Settings()
    ledger = StageByHand(LedgerStage(settings, programme, 1, CountSink()), KEPT_DECODED)
    owner = StageByHand(AllocationStage(settings, programme, 1, AllocationSink()), KEPT_DECODED)
    network = Network((ledger, owner))
    lines = [(fact.topic, Line(number, fact.key, fact.value)) for number, fact in enumerate(facts)]
    for start in range(0, len(lines), BATCH):
        if start + BATCH >= len(lines):
            ledger.go_back()
        process = ledger.processor.process
        batch = lines[start : start + BATCH]
        decoded = [(topic, line, ledger.processor.decode(topic, line)[1]) for topic, line in batch]
        for topic, line, event in decoded:
            process(topic, line, event)
        network.settle(start)
        ledger.store()
        owner.store()
        network.clear()


if __name__ == "__main__":
    run(rules(PROGRAMME), inputs(FACTS, customers=CUSTOMERS, seed=SEED))
    run(rules(FULL_PROGRAMME), full_inputs(FACTS, customers=CUSTOMERS, seed=SEED))
