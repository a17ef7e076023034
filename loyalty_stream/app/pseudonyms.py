"""The ledger of `[privacy] subject = "pseudonym"`: platform ids come in, tokens are all that goes out.

It stands between the engine and the ledger's processor, which never sees a platform id; the identities are a
side table, stored in the same transactions. docs/privacy.md says what is kept where, and for how long.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, assert_never

import msgspec
from msgspec.structs import replace

from loyalty_stream import __version__
from loyalty_stream.app.admission import OWN_COMMANDS
from loyalty_stream.app.identities import Identities, Identity, IdentityCodec, RandomBytes
from loyalty_stream.app.ledger import LedgerProcessor, LedgerStage, Waited
from loyalty_stream.app.ledger_counts import CountSink
from loyalty_stream.app.settings import Settings
from loyalty_stream.domain.announcements import Announcement
from loyalty_stream.domain.events import SOURCE
from loyalty_stream.domain.facts import CustomerRegistered, CustomerUpdated, EraseCustomer
from loyalty_stream.domain.rules import Rules
from loyalty_stream.engine.log import Record
from loyalty_stream.engine.stage import Context, Decoded
from loyalty_stream.engine.table import Codec
from loyalty_stream.wire import decode as wire
from loyalty_stream.wire import own_commands
from loyalty_stream.wire.dead_letter import PREFIX, Place, dead_letter
from loyalty_stream.wire.own_commands import ReferrerNamed
from loyalty_stream.wire.partitioning import partition_of
from loyalty_stream.wire.reasons import Reason
from loyalty_stream.wire.sealed import Original, seal

SEALED: Final = f"{PREFIX}sealed"
"""Header of a dead letter: `aes-256-gcm`, or `dropped` where the record names nobody it could be sealed for."""
_NOBODY: Final = frozenset({Reason.WRONG_PARTITION, Reason.KEY_MISMATCH, Reason.MISSING_KEY})
"""The key is missing, or is not (or not here) the one whose data the record holds."""


class _Renamed(NamedTuple):
    """A record under the token, for the ledger; `original` is what was read."""

    key: bytes
    original: Record

    @property
    def offset(self) -> int:
        return self.original.offset

    @property
    def timestamp(self) -> int | None:
        return self.original.timestamp

    @property
    def value(self) -> bytes | None:
        return self.original.value

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        return self.original.headers


class PseudonymStage(LedgerStage):
    """The ledger with the identities as one more table. `random_bytes` makes tokens and keys; a test may seed it."""

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        partitions: int,
        counts: CountSink,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        super().__init__(settings, rules, partitions, counts)
        self.identities_topic = settings.topic("identities")
        self.random_bytes = random_bytes

    @property
    def side_tables(self) -> Mapping[str, Codec]:
        return {**super().side_tables, self.identities_topic: IdentityCodec()}

    def processor(self, context: Context) -> LedgerProcessor:
        return PseudonymProcessor(self, context)


def ledger_stage(settings: Settings, rules: Rules, partitions: int, counts: CountSink) -> LedgerStage:
    """The ledger as the programme's [privacy] wants it."""
    match rules.subject:
        case "plain":
            return LedgerStage(settings, rules, partitions, counts)
        case "pseudonym":
            return PseudonymStage(settings, rules, partitions, counts)
        case _:
            assert_never(rules.subject)


class PseudonymProcessor(LedgerProcessor):
    """One partition of the ledger, its customers under their tokens."""

    def __init__(self, stage: PseudonymStage, context: Context) -> None:
        super().__init__(stage, context)
        self._identities = Identities(
            context.side_tables[stage.identities_topic],
            context.partition,
            stage.partitions,
            stage.random_bytes,
        )

    def decode(self, topic: str, record: Record) -> Decoded:
        value = record.value
        if (
            value is not None
            and topic == self._stage.commands_topic
            and value.startswith(own_commands.REFERRER_NAMED)
        ):
            try:
                return 0, own_commands.decode_referrer_named(value)
            except msgspec.DecodeError:
                pass  # not ours: the ledger says what is wrong with it
        return super().decode(topic, record)

    def process(self, topic: str, record: Record, event: Any) -> None:
        if isinstance(event, ReferrerNamed):
            self._learn_alias(record, event)
            return
        if isinstance(event, wire.Refused) or isinstance(event.fact, Announcement):
            super().process(topic, record, event)
            return
        key = record.key
        assert key is not None  # the decoder has compared it with the subject
        if event.fact.source == SOURCE:
            self._process_our_own(topic, record, event)
            return
        identity = self._identities.of(key)
        if identity is None:
            if not self._identities.is_here(key):
                # The ledger's own check, which it would make of the token.
                right = partition_of(key, self._stage.partitions)
                self._set_aside(
                    topic,
                    record,
                    Reason.WRONG_PARTITION,
                    f"murmur2 puts this key on partition {right} of {self._stage.partitions}",
                )
                return
            if isinstance(event.fact, EraseCustomer):
                self._counts.duplicates += 1  # nobody is known by this id, or not any more
                return
            identity = self._identities.draw()
            self._identities.keep(key, identity)
        token = identity.token.encode()
        fact = replace(event.fact, subject=identity.token)
        if isinstance(fact, CustomerRegistered) and fact.data.referred_by is not None:
            referrer = self._alias_of(fact.data.referred_by, key, identity)
            fact = replace(fact, data=replace(fact.data, referred_by=referrer))
        if isinstance(fact, CustomerRegistered | CustomerUpdated) and fact.data.alias:
            # A name by which others know the customer must not outlive them in topics that are kept for ever.
            fact = replace(fact, data=replace(fact.data, alias=None))
        super().process(topic, _Renamed(token, record), wire.Decoded(fact, event.at_ms))
        if isinstance(fact, EraseCustomer):
            self._forget_erased(key, identity)

    # -- those who are erased ---------------------------------------------------------------------------

    def _forget_erased(self, key: bytes, identity: Identity) -> None:
        """Whoever was erased is unknown from now on: neither account nor token nor key is kept."""
        token = identity.token.encode()
        entry = self._table.get(token)
        if entry is not None and entry.account.erased_at:
            self._table.delete(token)
            for alias in identity.aliases:
                self._identities.forget(alias.encode())
            self._identities.forget(key)

    # -- what we tell ourselves -------------------------------------------------------------------------

    def _process_our_own(self, topic: str, record: Record, event: wire.Decoded) -> None:
        """It names a token, or the alias of a referrer. What is for somebody who is gone changes nothing."""
        key = record.key or b""
        behind = self._identities.of(key)
        if behind is not None and behind.token != key.decode():
            key = behind.token.encode()
            event = wire.Decoded(replace(event.fact, subject=behind.token), event.at_ms)
            record = _Renamed(key, record)
        elif (topic == self._stage.answers_topic or event.fact.__class__ in OWN_COMMANDS) and self._table.get(
            key
        ) is None:
            self._counts.duplicates += 1
            return
        super().process(topic, record, event)

    def _alias_of(self, referrer: str, key: bytes, identity: Identity) -> str:
        """What a referrer is called by in the account of the customer whom they referred: not by their id or token.

        Their own partition learns it by a record that goes where the platform's commands for them go.
        """
        named = referrer.encode()
        if named == key:
            return identity.token  # nobody refers themselves: the ledger sees that it is the same
        partition = partition_of(named, self._stage.partitions)
        while True:
            alias = self._identities.draw_name()
            if partition_of(alias.encode(), self._stage.partitions) == partition:
                break
        self._context.emit(
            self._stage.commands_topic,
            partition,
            named,
            own_commands.encode_referrer_named(ReferrerNamed(referrer, alias)),
        )
        return alias

    def _learn_alias(self, record: Record, event: ReferrerNamed) -> None:
        """Whoever gets the alias's points is this customer, seen before or not."""
        key = event.subject.encode()
        if record.key != key or not self._identities.is_here(key):
            return
        identity = self._identities.of(key) or self._identities.draw()
        named = replace(identity, aliases=(*identity.aliases, event.alias))
        self._identities.keep(key, named)
        self._identities.keep(event.alias.encode(), replace(identity, aliases=(), seal_key=b""))

    # -- dead letters -----------------------------------------------------------------------------------

    def _set_aside(self, topic: str, record: Record, reason: Reason, message: str) -> None:
        if topic == self._stage.campaigns_topic:
            super()._set_aside(topic, record, reason, message)
            return
        original = record.original if isinstance(record, _Renamed) else record
        place = Place(topic, self._partition, original.offset, original.timestamp)
        headers = [(name, value) for name, value in original.headers or () if not name.startswith(PREFIX)]
        if isinstance(record, Waited):  # its key is a token
            found = self._identities.of_token(record.key)
            whose = None if found is None else found[1]
        else:
            whose = self._whose(None if reason in _NOBODY else original.key)
        self._seal(place, reason, message, Original(original.key, original.value, headers), whose)

    def _whose(self, key: bytes | None) -> Identity | None:
        """The identity whose key seals a record that came under `key`; one is drawn for an id not seen before."""
        if key is None or not self._identities.is_here(key):
            return None
        identity = self._identities.of(key)
        if identity is None:
            identity = self._identities.draw()
            self._identities.keep(key, identity)
        return identity

    def _seal(
        self, place: Place, reason: Reason, message: str, original: Original, identity: Identity | None
    ) -> None:
        if identity is None:
            letter = dead_letter(None, b"", place, reason, message, __version__)
            how = b"dropped"
        else:
            token = identity.token
            value = seal(original, identity.seal_key, token, self._identities.nonce())
            letter = dead_letter(token.encode(), value, place, reason, message, __version__)
            how = b"aes-256-gcm"
        self._dead((letter.key, letter.value, [*letter.headers, (SEALED, how)]))
        self._counts.dead_letters[reason] += 1
