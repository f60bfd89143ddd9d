"""Where the functions of tasks run: on the event loop, in threads, in processes."""

from .base import Call, Executor, Outcome
from .event_loop import LoopExecutor
from .processes import ProcessExecutor
from .threads import ThreadExecutor

__all__ = ["Call", "Executor", "LoopExecutor", "Outcome", "ProcessExecutor", "ThreadExecutor"]
