"""Whether a failed attempt is tried again, and after how many seconds."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import threading
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import TaskFailed
from advanced_scheduler.models import RetryConfig, RetryStrategy, TaskExecution
from advanced_scheduler.retry import JITTER, LONGEST_DELAY, TaskRetryManager
from tests.contract.rows import NOW, SECOND, execution

R = RetryStrategy
DELAYS = st.floats(0, LONGEST_DELAY)


def failed(retries: int = 0, **fields: Any) -> TaskExecution:
    """An execution whose attempt has just failed, after some retries."""
    return execution("e", retry_count=retries, started_time=NOW, **fields)


def steady(strategy: RetryStrategy = R.EXPONENTIAL, **fields: Any) -> RetryConfig:
    """A configuration without jitter."""
    return RetryConfig(strategy=strategy, jitter=False, **fields)


@pytest.fixture
def retries(clock: ManualClock) -> TaskRetryManager:
    return TaskRetryManager(random.Random(1), clock=clock)


# --- whether ------------------------------------------------------------------------------------


def test_max_attempts_is_the_number_of_retries_after_the_first_run(
    retries: TaskRetryManager,
) -> None:
    config = RetryConfig(max_attempts=2)
    answers = [retries.should_retry(failed(n), config, OSError()) for n in range(4)]
    assert answers == [True, True, False, False]


def test_without_a_configuration_or_a_strategy_nothing_is_retried(
    retries: TaskRetryManager,
) -> None:
    assert not retries.should_retry(failed(), None, OSError())
    assert not retries.should_retry(failed(), RetryConfig(strategy=R.NONE), OSError())
    assert not retries.should_retry(failed(), RetryConfig(max_attempts=0), OSError())


def test_without_the_error_only_the_number_of_retries_counts(retries: TaskRetryManager) -> None:
    config = RetryConfig(max_attempts=1, retry_on=(OSError,), give_up_on=(OSError,))
    assert retries.should_retry(failed(0), config)
    assert not retries.should_retry(failed(1), config)


@pytest.mark.parametrize(
    ("fields", "error", "answer"),
    [
        ({}, ValueError(), True),
        ({"retry_on": (OSError,)}, ConnectionError(), True),
        ({"retry_on": (OSError,)}, ValueError(), False),
        ({"give_up_on": (ValueError,)}, UnicodeError(), False),
        ({"give_up_on": (ValueError,)}, OSError(), True),
        ({"retry_on": (OSError,), "give_up_on": (TimeoutError,)}, TimeoutError(), False),
        ({"retry_on": (OSError,), "give_up_on": (TimeoutError,)}, ConnectionError(), True),
    ],
)
def test_the_type_of_the_error_decides_and_giving_up_wins(
    retries: TaskRetryManager, fields: dict[str, Any], error: Exception, answer: bool
) -> None:
    assert retries.should_retry(failed(), RetryConfig(**fields), error) is answer


@pytest.mark.parametrize(
    "error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]
)
def test_what_is_no_exception_is_retried_only_where_it_is_named(
    retries: TaskRetryManager, error: BaseException
) -> None:
    assert not retries.should_retry(failed(), RetryConfig(), error)
    assert not retries.should_retry(failed(), RetryConfig(give_up_on=(ValueError,)), error)
    assert retries.should_retry(failed(), RetryConfig(retry_on=(type(error),)), error)


def test_a_stop_of_tenacity_replaces_max_attempts(retries: TaskRetryManager) -> None:
    config = RetryConfig(max_attempts=1, stop=tenacity.stop_after_attempt(3))
    answers = [retries.should_retry(failed(n), config, OSError()) for n in range(4)]
    assert answers == [True, True, False, False]


def test_a_stop_composes_as_in_tenacity(retries: TaskRetryManager) -> None:
    given_up = threading.Event()
    config = RetryConfig(
        stop=tenacity.stop_after_attempt(5) | tenacity.stop_when_event_set(given_up)
    )
    assert retries.should_retry(failed(3), config, OSError())
    given_up.set()
    assert not retries.should_retry(failed(3), config, OSError())


def test_a_stop_after_a_delay_counts_from_the_start_of_the_only_attempt(
    retries: TaskRetryManager, clock: ManualClock
) -> None:
    config = RetryConfig(stop=tenacity.stop_after_delay(60))
    row = failed(scheduled_time=NOW - 500 * SECOND)
    clock.advance(seconds=59)
    assert retries.should_retry(row, config, OSError())
    clock.advance(seconds=1)
    assert not retries.should_retry(row, config, OSError())


def test_a_stop_after_a_delay_counts_from_the_scheduled_time_in_later_attempts(
    retries: TaskRetryManager, clock: ManualClock
) -> None:
    config = RetryConfig(stop=tenacity.stop_after_delay(60))
    row = execution("e", retry_count=1, started_time=NOW + 50 * SECOND)
    clock.advance(seconds=59)
    assert retries.should_retry(row, config, OSError())
    clock.advance(seconds=1)
    assert not retries.should_retry(row, config, OSError())


def test_a_stop_before_a_delay_knows_how_long_the_next_wait_is(
    retries: TaskRetryManager, clock: ManualClock
) -> None:
    config = steady(R.FIXED, initial_delay=30, stop=tenacity.stop_before_delay(60))
    clock.advance(seconds=29)
    assert retries.should_retry(failed(), config, OSError())
    clock.advance(seconds=1)
    assert not retries.should_retry(failed(), config, OSError())


def test_a_retry_of_tenacity_replaces_the_exception_types(retries: TaskRetryManager) -> None:
    config = RetryConfig(
        max_attempts=2,
        give_up_on=(OSError,),
        retry=tenacity.retry_if_exception_message(match="busy"),
    )
    assert retries.should_retry(failed(), config, OSError("busy, come again"))
    assert not retries.should_retry(failed(), config, ValueError("broken"))
    assert not retries.should_retry(failed(2), config, OSError("busy, come again"))


def test_a_tenacity_object_that_raises_means_no_and_is_logged(
    retries: TaskRetryManager, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(state: tenacity.RetryCallState) -> bool:
        raise ZeroDivisionError

    for config in (RetryConfig(retry=broken), RetryConfig(stop=broken)):
        assert not retries.should_retry(failed(), config, OSError())
    assert [record.getMessage() for record in caplog.records] == ["no retry of execution e"] * 2


# --- after how long -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "delays"),
    [
        (R.FIXED, [2, 2, 2, 2, 2]),
        (R.LINEAR, [2, 4, 6, 8, 10]),
        (R.EXPONENTIAL, [2, 6, 18, 54, 100]),
        (R.NONE, [0, 0, 0, 0, 0]),
    ],
)
def test_the_delay_grows_as_the_strategy_says(
    retries: TaskRetryManager, strategy: RetryStrategy, delays: list[float]
) -> None:
    config = steady(strategy, initial_delay=2, backoff_multiplier=3, max_delay=100)
    assert [retries.calculate_delay(failed(n), config) for n in range(5)] == delays


@given(st.sampled_from(R), st.integers(0, 40), DELAYS, DELAYS, st.floats(0, 10))
def test_the_delay_is_the_formula_under_the_cap(
    strategy: RetryStrategy, n: int, initial: float, longest: float, multiplier: float
) -> None:
    config = steady(
        strategy, initial_delay=initial, max_delay=longest, backoff_multiplier=multiplier
    )
    formula = {
        R.FIXED: initial,
        R.LINEAR: initial * (n + 1),
        R.EXPONENTIAL: initial * multiplier**n,
        R.NONE: 0.0,
    }
    expected = min(formula[strategy], longest, LONGEST_DELAY)
    assert math.isclose(
        TaskRetryManager().calculate_delay(failed(n), config), expected, abs_tol=1e-300
    )


@given(st.sampled_from([R.FIXED, R.LINEAR, R.EXPONENTIAL]), st.integers(0, 8), st.integers(0, 99))
def test_jitter_spreads_by_a_fifth_and_the_cap_comes_after_it(
    strategy: RetryStrategy, n: int, seed: int
) -> None:
    config = RetryConfig(strategy=strategy, initial_delay=10, max_delay=100)
    uncapped = steady(strategy, initial_delay=10, max_delay=math.inf)
    middle = TaskRetryManager().calculate_delay(failed(n), uncapped)
    delay = TaskRetryManager(random.Random(seed)).calculate_delay(failed(n), config)
    assert delay <= 100
    if middle * (1 + JITTER) < 100:
        assert middle * (1 - JITTER) <= delay <= middle * (1 + JITTER)
    if middle * (1 - JITTER) > 100:
        assert delay == 100


def test_jitter_reaches_both_sides_and_comes_from_the_generator_that_was_given() -> None:
    config = RetryConfig(strategy=R.FIXED, initial_delay=100)

    def delays() -> list[float]:
        retries = TaskRetryManager(random.Random(7))
        return [retries.calculate_delay(failed(), config) for _ in range(200)]

    first = delays()
    assert delays() == first
    assert 80 <= min(first) < 85
    assert 115 < max(first) <= 120


@pytest.mark.parametrize("strategy", [R.LINEAR, R.EXPONENTIAL])
@pytest.mark.parametrize("jitter", [False, True])
def test_a_huge_number_of_retries_comes_to_the_longest_delay(
    retries: TaskRetryManager, strategy: RetryStrategy, jitter: bool
) -> None:
    config = RetryConfig(strategy=strategy, jitter=jitter, max_delay=3600)
    assert retries.calculate_delay(failed(10**9), config) == 3600


@pytest.mark.parametrize("strategy", R)
def test_no_initial_delay_means_no_delay_however_often(
    retries: TaskRetryManager, strategy: RetryStrategy
) -> None:
    assert retries.calculate_delay(failed(10**9), steady(strategy, initial_delay=0)) == 0


@pytest.mark.parametrize("strategy", [R.FIXED, R.LINEAR, R.EXPONENTIAL])
def test_a_delay_without_a_limit_still_leads_to_a_day_in_the_calendar(
    retries: TaskRetryManager, strategy: RetryStrategy
) -> None:
    config = steady(strategy, initial_delay=math.inf, max_delay=math.inf)
    assert [retries.calculate_delay(failed(n), config) for n in (0, 5)] == [LONGEST_DELAY] * 2


def test_a_wait_of_tenacity_replaces_strategy_jitter_and_cap(retries: TaskRetryManager) -> None:
    config = RetryConfig(
        max_delay=1,
        wait=tenacity.wait_chain(tenacity.wait_fixed(3), tenacity.wait_fixed(7))
        + tenacity.wait_fixed(10),
    )
    delays = [retries.calculate_delay(failed(n), config) for n in range(3)]
    assert delays == [13, 17, 17]


def test_a_wait_may_ask_the_error(retries: TaskRetryManager) -> None:
    def told(error: BaseException) -> float:
        return float(error.args[0]) if isinstance(error, OSError) else 1.0

    config = RetryConfig(wait=tenacity.wait_exception(told))
    assert retries.calculate_delay(failed(), config, OSError(42)) == 42
    assert retries.calculate_delay(failed(), config) == 1


def test_tenacity_sees_the_attempt_as_if_it_had_made_it(
    retries: TaskRetryManager, clock: ManualClock
) -> None:
    seen: list[tenacity.RetryCallState] = []

    def look(state: tenacity.RetryCallState) -> float:
        seen.append(state)
        return 0.0

    clock.advance(seconds=5)
    row = failed(2, args=(1,), kwargs={"b": 2}, error="OSError: gone")
    retries.calculate_delay(row, RetryConfig(wait=look), KeyError("k"))
    retries.calculate_delay(row, RetryConfig(wait=look))
    with_error, without = seen
    assert (with_error.attempt_number, with_error.args, with_error.kwargs) == (3, (1,), {"b": 2})
    assert with_error.seconds_since_start == 5
    assert with_error.outcome is not None
    assert with_error.outcome.failed
    assert repr(with_error.outcome.exception()) == "KeyError('k')"
    assert without.outcome is not None
    error = without.outcome.exception()
    assert isinstance(error, TaskFailed)
    assert str(error) == "OSError: gone"


@pytest.mark.parametrize(
    ("answer", "delay"),
    [(-5, 0), (math.inf, LONGEST_DELAY), (-math.inf, 0), (1e300, LONGEST_DELAY)],
)
def test_a_wait_that_is_out_of_bounds_is_brought_back(
    retries: TaskRetryManager, answer: float, delay: float
) -> None:
    assert retries.calculate_delay(failed(), RetryConfig(wait=lambda _: answer)) == delay


@pytest.mark.parametrize("answer", [math.nan, "soon", None])
def test_a_wait_that_makes_no_sense_is_logged_and_the_strategy_holds(
    retries: TaskRetryManager, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    config = steady(R.FIXED, initial_delay=9, wait=lambda _: answer)
    with caplog.at_level(logging.ERROR):
        assert retries.calculate_delay(failed(), config) == 9
    assert [one.getMessage() for one in caplog.records] == ["no delay of its own for execution e"]


# --- history --------------------------------------------------------------------------------------


def test_retries_are_counted_by_task() -> None:
    retries = TaskRetryManager()
    assert retries.get_retry_count("a") == 0
    assert [retries.record_retry("a"), retries.record_retry("a"), retries.record_retry("b")] == [
        1,
        2,
        1,
    ]
    assert retries.get_retry_count("a") == 2
    retries.clear_history("a")
    retries.clear_history("never heard of")
    assert (retries.get_retry_count("a"), retries.get_retry_count("b")) == (0, 1)
    retries.clear_history()
    assert retries.get_retry_count("b") == 0


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (steady(R.FIXED, initial_delay=2), "fixed: 2 s = 2 s"),
        (steady(R.LINEAR, initial_delay=2), "linear: 2 s * 4 = 8 s"),
        (steady(initial_delay=0.5, backoff_multiplier=3), "exponential: 0.5 s * 3^3 = 13.5 s"),
        (
            steady(initial_delay=1, backoff_multiplier=10, max_delay=60),
            "exponential: 1 s * 10^3 = 1000 s, at most 60 s",
        ),
        (steady(wait=tenacity.wait_fixed(7)), "wait of the task's own: 7 s"),
    ],
)
def test_a_delay_says_how_it_was_computed(
    retries: TaskRetryManager, config: RetryConfig, told: str
) -> None:
    assert retries.delay(failed(3), config).how == told


def test_jitter_is_told_as_a_factor(retries: TaskRetryManager) -> None:
    config = RetryConfig(strategy=R.FIXED, initial_delay=10, max_delay=100)
    delay = retries.delay(failed(), config)
    factor = delay.seconds / 10
    assert delay.how == f"fixed: 10 s = 10 s, jitter * {factor:.3g} = {delay.seconds:.4g} s"
