"""A stock Faust app with the ledger's rules: an agent, a Table, and a send for every point event.

What one writes after Faust's own tutorial, at least once, without the engine of this project. The rules and
the codecs are the project's, so that the difference is the engine alone.
"""

import json
import sys
import tempfile
from typing import Any, cast

import faust
from faust.serializers import codecs

from benchmarks.workload import rules
from loyalty_stream.app.settings import INPUTS
from loyalty_stream.domain import decide
from loyalty_stream.domain.account import Account
from loyalty_stream.domain.facts import Incoming
from loyalty_stream.wire import account_codec, point_events
from loyalty_stream.wire import decode as wire


class AccountCodec(codecs.Codec):  # type: ignore[misc]
    """Accounts in Faust's table as the ledger stores them."""

    def _dumps(self, value: Account) -> bytes:
        return account_codec.encode(value)

    def _loads(self, value: bytes) -> Account:
        return account_codec.decode(value)


def build(bootstrap_servers: str, name: str, prefix: str, partitions: int, records: int) -> Any:
    """The app. It prints a line when it is ready and one when it has worked off so many records."""
    codecs.register("account", AccountCodec())
    programme = rules()
    app = faust.App(
        name,
        broker=f"kafka://{bootstrap_servers}",
        store="memory://",
        topic_partitions=partitions,
        web_enabled=False,
        broker_session_timeout=60.0,
        broker_request_timeout=90.0,
        datadir=tempfile.mkdtemp(prefix="stock-faust-"),
    )
    kinds = {f"{prefix}{kind}": kind for kind in INPUTS}
    facts = app.topic(*kinds, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    outputs = app.topic(
        f"{prefix}points-events",
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    accounts = app.Table("accounts", key_type=bytes, value_type=bytes, partitions=partitions)
    # The table keeps accounts as objects and encodes them for its changelog only: the cheapest way for it.
    accounts.value_serializer = "account"
    done = 0

    @app.agent(facts)  # type: ignore[untyped-decorator]  # Faust's
    async def ledger(stream: Any) -> None:
        nonlocal done
        async for event in stream.events():
            message = event.message
            read = wire.decode(kinds[message.topic], message.key, message.value, None)
            assert isinstance(read, wire.Decoded), read
            account = accounts.get(message.key) or Account()
            for made in decide.apply(
                account, cast("Incoming", read.fact), programme, read.at_ms, at=read.at_ms
            ):
                await outputs.send(key=message.key, value=point_events.encode(made))
            accounts[message.key] = account
            done += 1
            if done == records:
                await app.producer.flush()
                _say({"done": done})

    @app.task  # type: ignore[untyped-decorator]  # Faust's
    async def tell() -> None:
        """Faust runs its tasks once the tables are recovered."""
        _say({"ready": True})

    return app


def _say(what: dict[str, object]) -> None:
    print(f"\n{json.dumps(what)}", flush=True)  # on a line of its own: Faust's spinner leaves its line open


def main() -> None:
    """Run with the arguments of `build` as an object of JSON, until SIGTERM."""
    app = build(**json.loads(sys.argv[1]))
    faust.Worker(app, loglevel="error", quiet=True, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
