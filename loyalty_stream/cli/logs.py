"""How the program logs: plain lines on standard error, time and level first; libraries only when it matters."""

import logging.config
import math
import time
from typing import Any, Final

QUIET: Final = ("aiokafka", "faust", "mode", "kafka", "aiohttp", "asyncio", "loyalty_stream.engine.transport")
"""Libraries that tell at INFO what interests only their makers; Faust speaks by the transport's name, too."""


REPEAT_SECONDS: Final = 10.0
"""How long a library's message is not repeated."""


class _Formatter(logging.Formatter):
    """One record, one line, but for a traceback; instants in UTC."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.converter = time.gmtime


class _SaidBefore(logging.Filter):
    """Lets a library say the same thing once in a while only: with the brokers away, aiokafka says it in each retry."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}
        self._held: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(QUIET):
            return True
        what = (record.name, str(record.msg))
        now = time.monotonic()
        if now - self._last.get(what, -math.inf) < REPEAT_SECONDS:
            self._held[what] = self._held.get(what, 0) + 1
            return False
        self._last[what] = now
        if held := self._held.pop(what, 0):
            record.msg = f"{record.msg} (and {held} more like it)"
        return True


def logging_config(level: str) -> dict[str, Any]:
    """For `logging.config.dictConfig`; `level` is debug, info, warning or error."""
    libraries = "DEBUG" if level == "debug" else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"()": _Formatter}},
        "filters": {"said_before": {"()": _SaidBefore}},
        "handlers": {
            "default": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["said_before"]}
        },
        "loggers": {name: {"level": libraries} for name in QUIET},
        "root": {"level": level.upper(), "handlers": ["default"]},
    }


def log_plainly(level: str) -> None:
    """Log as a worker does."""
    logging.config.dictConfig(logging_config(level))


def silence_libraries() -> None:
    """For short commands: a broker that cannot be reached is told once, by the command, not by each retry."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
