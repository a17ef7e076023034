"""The time machine on what a real Kafka holds: limited things given out by two workers, then other rules tried on it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from deployment import Deployment
from test_allocations import BUDGET, CUSTOMERS, PROGRAMME, STARTS_AT, later, orders, redemptions, revealed
from typer.testing import CliRunner

from loyalty_stream.cli.entry import app

pytestmark = pytest.mark.kafka


def test_the_same_rules_change_nothing_and_a_smaller_budget_binds(deployment: Deployment) -> None:
    programme = deployment.directory / "limited.toml"
    programme.write_text(PROGRAMME, encoding="utf-8")
    first = deployment.worker("first", programme=programme, batch_records=50)
    second = deployment.worker("second", programme=programme, batch_records=50)
    deployment.send([*orders(), *redemptions()])
    deployment.wait_done(second)
    deployment.send([*later(), revealed()])

    def settled() -> bool:
        seen = [json.loads(record.value or b"") for record in deployment.outputs()]
        kinds = [event["type"] for event in seen]
        outcomes = kinds.count("command-rejected") + kinds.count("reward-issued")
        return outcomes == CUSTOMERS and kinds.count("draw-won") == 5

    second.wait_until(settled, "every request answered and the draw held")
    first.terminate()
    second.terminate()
    export = deployment.directory / "export"
    kafka = (
        "--bootstrap-servers", deployment.settings.bootstrap_servers,
        "--app-id", deployment.settings.app_id, "--topic-prefix", deployment.settings.topic_prefix,
    )  # fmt: skip
    run("export", "--parquet", export, *kafka)

    same = run_json("what-if", "--programme", programme, *kafka)
    assert same["identical"], same
    assert same["passes"] == 1
    tight = deployment.directory / "tight.toml"
    tight.write_text(PROGRAMME.replace(f"budget_points = {BUDGET}", "budget_points = 2050"), encoding="utf-8")
    found = run_json("what-if", "--programme", tight, "--parquet", export)
    assert found["by_reason"]["granted"]["campaign week"] == {"was": BUDGET, "would_be": 2050}
    assert found["points"]["held"] == {"was": 0, "would_be": 0}
    never = run_json("what-if", "--programme", tight, "--parquet", export, "--from", "2025-01-01")
    assert never["identical"]

    begun = (STARTS_AT + timedelta(hours=7)).isoformat()  # all have ordered, nobody has redeemed anything
    found = [
        (run_json("balance", "c-0", "--at", begun, *where), run_json("explain", "c-0", *where))
        for where in (kafka, ("--parquet", export))
    ]
    for balance, told in found:
        # Who of all came to the budget in time, the order of the partitions' commits has decided.
        assert balance["available"] == told["granted"] in {300, 330, 400}
        assert told["contradictions"] == []
        spent = [fate for grant in told["grants"] for fate in grant["fates"] if fate["kind"] == "redeemed"]
        assert sum(fate["points"] for fate in spent) == told["redeemed"]
    stories = [
        [(grant["grant_id"], grant["points"], grant["available"]) for grant in told["grants"]]
        for _, told in found
    ]
    assert stories[0] == stories[1]


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def run_json(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json"))
