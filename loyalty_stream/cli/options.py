"""The options that commands share, and the settings made of them. It must not know what a command does."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from msgspec.structs import replace

from loyalty_stream.app.mendable import MendableError
from loyalty_stream.app.settings import STAGES, Settings
from loyalty_stream.domain.coupons import Secret
from loyalty_stream.domain.rules import Rules

DEFAULTS: Final = Settings()
SECRET_BYTES: Final = 16
"""128 bits: nobody guesses it."""

BootstrapServers = Annotated[
    str,
    typer.Option(envvar="LOYALTY_BOOTSTRAP_SERVERS", help="Kafka's host:port, several separated by commas."),
]
AppId = Annotated[
    str,
    typer.Option(
        envvar="LOYALTY_APP_ID",
        help="Consumer group, and the stem of transactional ids and changelogs. Never change it for a deployment.",
    ),
]
TopicPrefix = Annotated[
    str,
    typer.Option(
        envvar="LOYALTY_TOPIC_PREFIX",
        help="Put before every topic's name, for several deployments on a cluster.",
    ),
]
Connection = Annotated[
    Path | None,
    typer.Option(
        envvar="LOYALTY_CONNECTION",
        metavar="FILE",
        help="TOML file for clusters with TLS or SASL: security_protocol, sasl_mechanism, sasl_plain_username, "
        "sasl_plain_password, ssl_cafile, ssl_certfile, ssl_keyfile.",
    ),
]
ProgrammeFile = Annotated[
    Path,
    typer.Option("--programme", envvar="LOYALTY_PROGRAMME", metavar="FILE", help="The programme file."),
]
CouponSecretFile = Annotated[
    Path | None,
    typer.Option(
        envvar="LOYALTY_COUPON_SECRET_FILE",
        metavar="FILE",
        help="A file with the secret that coupon codes are derived from; needed where a reward is a coupon. "
        "Never change it: a repeat would give other codes.",
    ),
]

GuaranteeWanted = Literal["auto", "exactly_once", "effectively_once"]

_TLS_FILES: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
_PLAIN: Final = ("security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


class OptionError(MendableError):
    """An option cannot be used; the message names it and says what is right."""


def settings_of(
    bootstrap_servers: str, app_id: str, topic_prefix: str, connection: Path | None, **more: Any
) -> Settings:
    """The settings of a command's options. Raises OptionError for a connection file that cannot be used."""
    return Settings(
        bootstrap_servers=bootstrap_servers,
        app_id=app_id,
        topic_prefix=topic_prefix,
        connection={} if connection is None else read_connection(connection),
        **more,
    )


def stages_of(text: str) -> tuple[str, ...]:
    """The stages that a comma-separated text names, in their own order. Raises OptionError where it names another."""
    named = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := sorted(named - set(STAGES)):
        raise OptionError(f"--stages: {', '.join(unknown)}: no such stage; there are {', '.join(STAGES)}")
    if not named:
        raise OptionError(f"--stages: names none of {', '.join(STAGES)}")
    return tuple(name for name in STAGES if name in named)


def with_coupon_secret(rules: Rules, file: Path | None) -> Rules:
    """The rules with the secret of the file. Raises OptionError where coupons need one and it is missing or short."""
    coupons = sorted(reward.id for reward in rules.rewards.values() if reward.kind == "coupon")
    if file is None:
        if coupons:
            raise OptionError(
                f"--coupon-secret-file is missing: the codes of reward {coupons[0]} are derived from a secret. "
                "Make one with `head -c 32 /dev/urandom | base64 > FILE`, the same for all workers"
            )
        return rules
    try:
        key = file.read_bytes().strip()
    except OSError as error:
        raise OptionError(f"--coupon-secret-file {file}: cannot be read ({error.strerror})") from error
    if len(key) < SECRET_BYTES:
        raise OptionError(f"--coupon-secret-file {file}: holds {len(key)} bytes, at least {SECRET_BYTES}")
    return replace(rules, coupon_secret=Secret(key))


def read_connection(file: Path) -> Mapping[str, Any]:
    """The arguments of aiokafka's clients that the file stands for."""
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"--connection {file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"--connection {file}: is not TOML: {error}") from error
    if unknown := sorted(set(given) - {*_TLS_FILES, *_PLAIN}):
        known = ", ".join((*_PLAIN, *_TLS_FILES))
        raise OptionError(f"--connection {file}: {', '.join(unknown)}: no such key; there are {known}")
    if wrong := sorted(key for key, value in given.items() if not isinstance(value, str)):
        raise OptionError(f"--connection {file}: {', '.join(wrong)}: the value must be text")
    arguments: dict[str, Any] = {key: given[key] for key in _PLAIN if key in given}
    if "SSL" in arguments.get("security_protocol", ""):
        from aiokafka.helpers import create_ssl_context  # noqa: PLC0415 - slow to import, seldom needed

        try:
            arguments["ssl_context"] = create_ssl_context(
                cafile=given.get("ssl_cafile"),
                certfile=given.get("ssl_certfile"),
                keyfile=given.get("ssl_keyfile"),
            )
        except OSError as error:  # ssl.SSLError is one
            raise OptionError(f"--connection {file}: the TLS files cannot be used: {error}") from error
    return arguments
