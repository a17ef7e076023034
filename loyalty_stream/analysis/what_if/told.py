"""What customers tell others and are told by them, as it passes between the replay, its passes and the owners."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from loyalty_stream.domain.account import Account
from loyalty_stream.domain.facts import EntryWon, GrantPoints


class Reward(msgspec.Struct, frozen=True, array_like=True):
    """A reward for a referrer, and the time (ms) of the partition that sent it then: it comes no earlier."""

    command: GrantPoints
    clock: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What others tell a customer: answers of owners, wins in draws, rewards for referring somebody.

    A request that is not in `given` is granted in full; one with None is never answered.
    """

    given: Mapping[str, int | None] = field(default_factory=dict)
    wins: Mapping[str, EntryWon] = field(default_factory=dict)
    rewards: Mapping[str, Reward] = field(default_factory=dict)


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """What a customer's history told others, in its order (`number`) at the partition's time `clock` (ms).

    A `request` to an owner or a `reward` for a referrer: `value` is its JSON. `answered`: of the time before the rules
    change, `value` is the id of a request that got `given`.
    """

    clock: int
    number: int
    kind: Literal["request", "reward", "answered"]
    value: bytes
    given: int = 0


@dataclass(slots=True)
class Outcome:
    """A customer's account in the end, and what they told others on the way."""

    account: Account
    sent: list[Sent]
    refused: int
    """Facts that the rules did not take."""
    failed: int
    """Facts that could not be applied and were passed over."""


class FactFailedError(Exception):
    """Applying the `number`th of a customer's facts raised; the account is not to be used any more."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the {number}th fact")
        self.number = number
