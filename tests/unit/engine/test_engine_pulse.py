"""How late the event loop is."""

from __future__ import annotations

import asyncio

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.pulse import EVERY, Pulse
from tests.support.waiting import eventually_async


async def test_a_loop_that_is_held_up_shows_at_once_and_is_forgotten_once_it_beats(
    clock: ManualClock,
) -> None:
    pulse = Pulse(clock)
    assert pulse.lag == 0
    pulse.start()
    clock.advance(seconds=EVERY)
    assert pulse.lag == 0
    clock.advance(seconds=3)
    assert pulse.lag == 3  # overdue: seen while the loop is still blocked
    await eventually_async(lambda: pulse._late == 3)  # it beats: late by as much
    clock.advance(seconds=EVERY)
    await eventually_async(lambda: pulse.lag == 0)
    pulse.stop()


async def test_a_pulse_that_was_stopped_beats_no_more(clock: ManualClock) -> None:
    pulse = Pulse(clock)
    pulse.start()
    pulse.stop()
    clock.advance(seconds=60)
    assert pulse.lag == 0
    pulse._beat()  # one that was on its way
    assert pulse._expected is None


def test_a_pulse_can_be_stopped_after_its_loop_has_closed(clock: ManualClock) -> None:
    pulse = Pulse(clock)

    async def start() -> None:
        pulse.start()

    asyncio.run(start())
    pulse.stop()
    assert pulse.lag == 0
