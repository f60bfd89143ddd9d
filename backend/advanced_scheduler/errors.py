"""Every exception that the package raises on purpose.

SchedulerError
├── ConfigurationError            (ValueError)  a setting that cannot work
├── InvalidTask                   (ValueError)  a definition, or arguments that do not fit it
│   ├── TaskAlreadyRegistered                   "already registered"
│   ├── TaskNotRegistered         (KeyError)    "not registered"
│   ├── TaskInUse                               executions still wait for it
│   ├── CircularDependency                      "circular dependency: a -> b -> a"
│   └── UnknownDependency                       depends on a task that nobody registered
├── InvalidArguments              (ValueError)  arguments that the function or the store cannot take
├── InvalidTrigger                (ValueError)  a trigger that says nothing, or never fires
│   └── InvalidCronExpression                   "Invalid cron expression", field and token
├── ExecutionNotFound             (KeyError)    no execution has this id
├── ScheduleNotFound              (KeyError)    no schedule has this id
├── ScheduleExists                (ValueError)  another schedule has this id or name
├── NodeNotFound                  (KeyError)    no node has this id
├── NodeAlive                                   only a dead node can be forgotten
├── VersionConflict                             the schedule was edited by somebody else
├── TaskFailed                                  ``result()``: ended without a result
├── RemoteError                                 what a task raised in a process of its own
├── ProcessDied                                 the process of a task ended before the task did
├── ResultTimeout                 (TimeoutError) ``result()``: did not end in time
├── IllegalTransition                           two states that no arrow connects
├── SchedulerStateError           (RuntimeError) the call does not fit the scheduler's state
├── LockError
│   ├── LockUnavailable                         the lock server did not answer in time
│   └── LockLost                                held, and lost before the work was done
├── NotStorable                   (ValueError)  a value that would not come back equal
└── StoreError
    └── StoreUnavailable                        the store could not be reached
"""

from __future__ import annotations


class SchedulerError(Exception):
    """Catch this to catch everything that the package raises on purpose."""


class ConfigurationError(SchedulerError, ValueError):
    """A setting that cannot work."""


class InvalidTask(SchedulerError, ValueError):
    """A task definition that cannot be registered or used."""


class TaskAlreadyRegistered(InvalidTask):
    """A second definition under a task id that is taken."""


class TaskNotRegistered(InvalidTask, KeyError):
    """No definition has this task id."""

    __str__ = Exception.__str__  # KeyError would show the repr of the message


class TaskInUse(InvalidTask):
    """The task cannot go: executions that have not ended wait for it."""


class CircularDependency(InvalidTask):
    """The dependencies of a task lead back to it; the message names the path."""


class UnknownDependency(InvalidTask):
    """A task depends on a task id that nobody has registered."""


class InvalidArguments(SchedulerError, ValueError):
    """Arguments that the function does not take, or that would not come back equal.

    ``argument`` is the position or the name of the one that is wrong, where it is one.
    """

    def __init__(self, message: str, *, argument: int | str | None = None) -> None:
        super().__init__(message)
        self.argument = argument


class InvalidTrigger(SchedulerError, ValueError):
    """A trigger that cannot be understood, or that never fires."""


class InvalidCronExpression(InvalidTrigger):
    """A cron text that breaks a rule; the message names the field and the token."""


class ExecutionNotFound(SchedulerError, KeyError):
    """No execution has this id: it never existed, or the history was trimmed."""

    __str__ = Exception.__str__


class ScheduleNotFound(SchedulerError, KeyError):
    """No schedule has this id: it never existed, or it was removed."""

    __str__ = Exception.__str__


class ScheduleExists(SchedulerError, ValueError):
    """Another schedule has this id or name already; the message says which."""


class NodeNotFound(SchedulerError, KeyError):
    """No node has this id."""

    __str__ = Exception.__str__


class NodeAlive(SchedulerError):
    """The node shows itself: it cannot be forgotten."""


class VersionConflict(SchedulerError):
    """The schedule has another version than the caller has seen; the message shows both."""


class TaskFailed(SchedulerError):
    """The execution ended without a result: failed, cancelled or skipped."""


class RemoteError(SchedulerError):
    """What a task raised in a process of its own; also of the original type, if that is known.

    ``type_name``, ``message`` and ``traceback_text`` are what was left of the original.
    """

    type_name = ""
    message = ""
    traceback_text = ""


class ProcessDied(SchedulerError):
    """The process of a task ended before the task did; the message has exit code or signal."""


class ResultTimeout(SchedulerError, TimeoutError):
    """The execution did not end within the time that the caller gave it."""


class IllegalTransition(SchedulerError):
    """An execution was asked to move between two states that no arrow connects."""


class SchedulerStateError(SchedulerError, RuntimeError):
    """The call does not fit what the scheduler is doing, such as a second start."""


class LockError(SchedulerError):
    """Something about a lock; see the subclasses."""


class LockUnavailable(LockError):
    """The lock server did not answer within its deadline: nobody knows who holds the lock."""


class LockLost(LockError):
    """The lock was lost while the work went on, so its result does not count."""


class NotStorable(SchedulerError, ValueError):
    """A value that the store could not give back equal in value and type."""


class StoreError(SchedulerError):
    """The store could not do what it was asked; see ``__cause__``."""


class StoreUnavailable(StoreError):
    """The store could not be reached; the call may be tried again."""
