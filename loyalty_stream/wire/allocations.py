"""Requests to owners and their answers, as CloudEvents in JSON: topics of our own, that nobody else writes.

It knows no account and no rule.
"""

from collections.abc import Callable
from typing import Final, get_args

import msgspec

from loyalty_stream.domain.facts import Answer
from loyalty_stream.domain.owner_requests import OwnerRequest


def _tag(kind: type[OwnerRequest] | type[Answer]) -> str:
    return str(kind.__struct_config__.tag)


_encoder: Final = msgspec.json.Encoder()
encode_request: Final[Callable[[OwnerRequest], bytes]] = _encoder.encode
encode_answer: Final[Callable[[Answer], bytes]] = _encoder.encode
_request: Final = msgspec.json.Decoder(OwnerRequest)
_answer: Final = msgspec.json.Decoder(Answer)


REQUESTS: Final = "allocation-requests"
ANSWERS: Final = "allocation-answers"
INTERNAL: Final[dict[str, dict[str, type[OwnerRequest] | type[Answer]]]] = {
    REQUESTS: {_tag(kind): kind for kind in get_args(OwnerRequest)},
    ANSWERS: {_tag(kind): kind for kind in get_args(Answer)},
}
"""Topic kind -> CloudEvents `type` -> the event, of what nobody but this application reads or writes."""


class UnreadableError(ValueError):
    """Bytes on a topic of ours that we have not written: with what is wrong."""


def decode_request(value: bytes | None) -> OwnerRequest:
    """Read a request; UnreadableError says what is wrong with it."""
    try:
        request: OwnerRequest = _request.decode(value or b"")
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not a request of ours: {error}") from error
    return request


def decode_answer(value: bytes | None) -> Answer:
    """Read an answer; UnreadableError says what is wrong with it."""
    try:
        answer: Answer = _answer.decode(value or b"")
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not an answer of ours: {error}") from error
    return answer
