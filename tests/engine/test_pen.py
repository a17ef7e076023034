"""What is encoded later comes out as if it had been encoded at once."""

import pytest

from loyalty_stream.engine.log import NO_HEADERS
from loyalty_stream.engine.stage import TOGETHER, Context, OutputFailedError
from loyalty_stream.engine.table import Table
from tests.engine.tally import TallyCodec


def encode(number: int) -> bytes:
    return b"%d" % (100 // number)


def context(together: int = TOGETHER) -> Context:
    return Context(3, Table(TallyCodec()), {}, together)


@pytest.mark.parametrize("together", [1, 7, TOGETHER])
@pytest.mark.parametrize("count", [0, 1, TOGETHER - 1, TOGETHER, 3 * TOGETHER + 1])
def test_all_that_was_written_comes_out_once_in_its_order(together, count):
    to = context(together)
    pen = to.pen("topic", encode)
    for number in range(1, count + 1):
        pen.write(b"key", number)
    expected = [(b"key", encode(number), NO_HEADERS) for number in range(1, count + 1)]
    for _ in range(2):
        assert to.written() == ([("topic", 3, expected)] if expected else [])
    to.clear()
    assert to.written() == []
    pen.write(b"key", 1)
    assert to.written() == [("topic", 3, [(b"key", b"100", NO_HEADERS)])]


def test_what_is_cleared_is_gone_whether_it_was_encoded_or_not():
    to = context(2)
    pen = to.pen("topic", encode)
    for number in (1, 2, 3):
        pen.write(b"key", number)
    to.clear()
    assert to.written() == []


def test_an_output_that_cannot_be_encoded_is_no_records_fault_unless_each_is_encoded_at_once():
    together = context()
    together.pen("topic", encode).write(b"key", 0)
    with pytest.raises(OutputFailedError, match=r"one of 1 outputs: ZeroDivisionError"):
        together.written()
    with pytest.raises(ZeroDivisionError):
        context(1).pen("topic", encode).write(b"key", 0)
