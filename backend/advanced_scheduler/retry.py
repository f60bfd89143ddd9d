"""Owns the answer to a failed attempt: whether to try again, and after how many seconds."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections import Counter
from typing import Final, NamedTuple

import tenacity

from .clock import Clock, SystemClock
from .errors import TaskFailed
from .forks import free_in_child, renew_in_child
from .models import RetryConfig, RetryStrategy, TaskExecution

logger = logging.getLogger(__name__)

JITTER: Final = 0.2
"""How far a delay is spread to either side."""

LONGEST_DELAY: Final = 10 * 365 * 86400.0
"""Ten years, in seconds: no delay is longer, or the due time could leave the calendar."""


class Delay(NamedTuple):
    """Seconds until the next attempt, and how they were computed, for people."""

    seconds: float
    how: str


class TaskRetryManager:
    """Answers by tenacity's objects, and counts the retries of each task; thread-safe.

    tenacity's ``attempt_number`` is the execution's ``retry_count + 1``; its time since the
    start counts from the start of a first attempt, and later from the scheduled time.
    ``rng`` spreads the delays.
    """

    def __init__(self, rng: random.Random | None = None, *, clock: Clock | None = None) -> None:
        # Children of one parent shall not retry in step.
        self._rng = rng or renew_in_child(random.Random(), random.Random.seed)
        self._clock = clock or SystemClock()
        self._retries: Counter[str] = Counter()
        self._lock = free_in_child(threading.Lock())

    def should_retry(
        self,
        execution: TaskExecution,
        config: RetryConfig | None,
        error: BaseException | None = None,
    ) -> bool:
        """Whether ``execution``, whose attempt ended with ``error``, is to be tried again.

        Without ``error`` only the number of retries counts. SystemExit and the like are not
        retried unless ``retry_on`` names them. A tenacity object that raises is logged, and
        means no.
        """
        if config is None or config.strategy is RetryStrategy.NONE:
            return False
        try:
            if error is not None and not self._is_retriable(execution, config, error):
                return False
            if config.stop is None:
                return execution.retry_count < config.max_attempts
            state = self._state(execution, error)
            state.upcoming_sleep = self.calculate_delay(execution, config, error)
            return not config.stop(state)
        except Exception:
            logger.exception("no retry of execution %s", execution.execution_id)
            return False

    def calculate_delay(
        self,
        execution: TaskExecution,
        config: RetryConfig,
        error: BaseException | None = None,
    ) -> float:
        """Seconds until the next attempt: 0 up to ``LONGEST_DELAY``.

        With ``n`` retries so far: ``initial_delay``, times ``n + 1`` (LINEAR) or times
        ``backoff_multiplier ** n`` (EXPONENTIAL), spread by ``JITTER``, at most ``max_delay``.
        ``config.wait`` replaces all of that; if it raises, that is logged and all of that holds.
        """
        return self.delay(execution, config, error).seconds

    def delay(
        self,
        execution: TaskExecution,
        config: RetryConfig,
        error: BaseException | None = None,
    ) -> Delay:
        """The same with the arithmetic: ``exponential: 1 s * 2^3 = 8 s, jitter * 0.9 = 7.2 s``."""
        state = self._state(execution, error)
        if config.wait is not None:
            try:
                seconds = _between(float(config.wait(state)), LONGEST_DELAY)
                return Delay(seconds, f"wait of the task's own: {seconds:g} s")
            except Exception:
                logger.exception("no delay of its own for execution %s", execution.execution_id)
        seconds = _wait(config)(state)
        how = f"{_product(config, execution.retry_count)} = {seconds:g} s"
        if config.jitter:
            spread = self._rng.uniform(1 - JITTER, 1 + JITTER)
            seconds *= spread
            how += f", jitter * {spread:.3g} = {seconds:.4g} s"
        longest = min(config.max_delay, LONGEST_DELAY)
        if seconds > longest:
            how += f", at most {longest:g} s"
        return Delay(_between(seconds, longest), how)

    def record_retry(self, task_id: str) -> int:
        """Count one retry of the task; answers how many there were."""
        with self._lock:
            self._retries[task_id] += 1
            return self._retries[task_id]

    def get_retry_count(self, task_id: str) -> int:
        """How many retries of the task were counted here."""
        return self._retries[task_id]

    def clear_history(self, task_id: str | None = None) -> None:
        """Count from 0 again: one task, or all."""
        with self._lock:
            if task_id is None:
                self._retries.clear()
            else:
                self._retries.pop(task_id, None)

    def _is_retriable(
        self, execution: TaskExecution, config: RetryConfig, error: BaseException
    ) -> bool:
        if config.retry is not None:
            return bool(config.retry(self._state(execution, error)))
        wanted = config.retry_on or (Exception,)
        return isinstance(error, wanted) and not isinstance(error, config.give_up_on)

    def _state(
        self, execution: TaskExecution, error: BaseException | None
    ) -> tenacity.RetryCallState:
        """What tenacity would know, had it called the function itself."""
        state = tenacity.RetryCallState(
            tenacity.Retrying(), None, execution.args, dict(execution.kwargs)
        )
        state.attempt_number = execution.retry_count + 1
        failure = error
        if failure is None:
            failure = TaskFailed(execution.error or "the attempt failed")
        state.set_exception((type(failure), failure, failure.__traceback__))
        state.start_time, state.outcome_timestamp = 0.0, self._elapsed(execution)
        return state

    def _elapsed(self, execution: TaskExecution) -> float:
        """Seconds since the start; no row remembers when its first attempt of several began."""
        first = execution.started_time if execution.retry_count == 0 else None
        start = first or execution.scheduled_time
        return max((self._clock.now() - start).total_seconds(), 0.0)


def _wait(config: RetryConfig) -> tenacity.wait.wait_base:
    """The strategy without jitter and cap, which come after it."""
    delay = min(float(config.initial_delay), LONGEST_DELAY)
    if delay == 0 or config.strategy is RetryStrategy.NONE:
        return tenacity.wait_none()
    if config.strategy is RetryStrategy.FIXED:
        return tenacity.wait_fixed(delay)
    if config.strategy is RetryStrategy.LINEAR:
        return tenacity.wait_incrementing(start=delay, increment=delay)
    return tenacity.wait_exponential(multiplier=delay, exp_base=float(config.backoff_multiplier))


def _product(config: RetryConfig, retries: int) -> str:
    """What ``_wait`` multiplies, in words."""
    name, delay = config.strategy.value, f"{config.initial_delay:g} s"
    if config.strategy is RetryStrategy.LINEAR:
        return f"{name}: {delay} * {retries + 1}"
    if config.strategy is RetryStrategy.EXPONENTIAL:
        return f"{name}: {delay} * {config.backoff_multiplier:g}^{retries}"
    return f"{name}: {delay}"


def _between(seconds: float, longest: float) -> float:
    """``seconds`` within 0 and ``longest``; what is no number is an error."""
    if math.isnan(seconds):
        raise ValueError("the delay is not a number")
    return min(max(seconds, 0.0), longest)
