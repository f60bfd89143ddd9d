"""Document 000 on a scheduler of the application's own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ConfigurationError
from advanced_scheduler.adapters.manager import SchedulerManager, get_scheduler_manager
from tests.requirements.document_000 import PATIENCE, process_file


def test_a_manager_takes_the_scheduler_of_the_application(tmp_path: Path) -> None:
    with closing(AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db")) as scheduler:
        manager = SchedulerManager(scheduler=scheduler)
        task_id = manager.schedule_task(process_file, "file.mp4")
        assert not scheduler.started
        manager.start_scheduler()
        assert manager.wait_for_task(task_id, PATIENCE) == "Processed file.mp4"
        manager.stop_scheduler()
        assert not scheduler.started
    assert get_scheduler_manager().scheduler is not scheduler


def test_a_manager_leaves_a_scheduler_running_that_it_has_not_started() -> None:
    with closing(AdvancedTaskScheduler()) as scheduler, scheduler.running():
        manager = SchedulerManager(scheduler=scheduler)
        manager.start_scheduler()
        manager.stop_scheduler()
        assert scheduler.started


def test_a_scheduler_that_is_given_has_its_own_limit() -> None:
    refused = pytest.raises(ConfigurationError, match="max_concurrent_tasks=3: the scheduler that")
    with closing(AdvancedTaskScheduler()) as scheduler, refused:
        SchedulerManager(3, scheduler=scheduler)
