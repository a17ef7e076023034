"""Ctrl-C and SIGTERM are noticed whatever swallows them."""

import asyncio
import signal

import pytest

from loyalty_stream.app.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_step_that_swallows_its_cancellation_is_followed_by_the_interruption(number):
    swallowed = []

    async def step():
        signal.raise_signal(number)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.append(True)

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
        interruption.run(step())
    assert swallowed


def test_an_error_of_a_step_that_is_being_interrupted_is_none_of_its_own():
    async def step():
        signal.raise_signal(signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("the connection was closed under it") from None

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
        interruption.run(step())


def test_between_steps_it_is_raised_at_once():
    with Interruption(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_without_an_interruption_a_step_answers_and_fails_as_it_is():
    async def answer():
        return 7

    async def fail():
        raise OSError

    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert interruption.run(answer()) == 7
        with pytest.raises(OSError):
            interruption.run(fail())
    assert signal.getsignal(signal.SIGINT) is before


def test_cleaning_up_is_not_interrupted():
    with Interruption() as interruption:
        interruption.ignore()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
