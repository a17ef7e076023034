"""The parts of a worker fit together, also where some are compiled and some are not."""

from pathlib import Path

import pytest

from loyalty_stream.app import worker
from loyalty_stream.app.metrics import Metrics
from loyalty_stream.app.settings import Settings
from loyalty_stream.engine.log import Guarantee
from loyalty_stream.engine.stage import Context, side_tables_in_memory
from loyalty_stream.engine.table import Table
from loyalty_stream.programme import compile_rules, load_programme

PROGRAMME = Path(__file__).parents[1] / "programme/resources/full.toml"


def test_every_stage_works_with_the_metrics_as_its_sink():
    rules = compile_rules(load_programme(PROGRAMME))
    metrics = Metrics(Guarantee.EXACTLY_ONCE, worker.wall_ms)
    stages = worker._stages(Settings(), rules, 1, metrics)
    assert {"ledger", "allocation"} <= {stage.name for stage in stages}
    for stage in stages:
        processor = stage.processor(Context(0, Table(stage.codec), side_tables_in_memory(stage)))
        processor.restored()
        processor.advance(1_772_294_400_000)
        processor.proceed()
        processor.committed()


@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_a_worker_is_built(guarantee, tmp_path):
    rules = compile_rules(load_programme(PROGRAMME))
    built = worker.build(Settings(), rules, 2, guarantee, tmp_path)
    assert built.guarantee is guarantee
