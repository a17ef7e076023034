"""The exported accounts are those of the ledger: SQL over the export against the fold of the domain."""

from random import Random

import msgspec
import pytest
from random_histories import history
from random_programmes import PARTS, programme

from loyalty_stream.analysis.layout import export_lines
from loyalty_stream.analysis.source import connect
from loyalty_stream.app.simulate import Simulation

FIGURES = ("available", "pending", "held", "debt", "granted", "redeemed", "expired", "revoked", "restored")


@pytest.mark.parametrize("number", range(12))
def test_accounts_are_what_the_ledger_says(number, tmp_path):
    random = Random(f"accounts/{number}")
    rules = programme(random, PARTS)
    simulation = Simulation(rules)
    events = []
    for line, fact in enumerate(history(random, rules, PARTS), 1):
        made, _ = simulation.apply(line, msgspec.json.encode(fact))
        events += made
        simulation.late()
    told = {each["customer"]: each for each in map(msgspec.json.decode, simulation.balances())}
    export_lines(tmp_path / "export", events, partitions=3)
    with connect(tmp_path / "export") as connection:
        rows = connection.sql("FROM accounts").to_arrow_table().to_pylist()
    assert {row["customer"] for row in rows} == {
        customer for customer in told if has_events(events, customer)
    }
    for row in rows:
        balance = told[row["customer"]]
        assert {name: row[name] for name in (*FIGURES, "tier")} == {
            name: balance[name] for name in (*FIGURES, "tier")
        }


def has_events(events, customer):
    return any(msgspec.json.decode(event)["subject"] == customer for event in events)
