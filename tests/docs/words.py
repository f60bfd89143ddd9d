"""Owns the list of what the requirement documents name: 000 to 004, each word once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, str]] = {
    "000": """
        get_scheduler_manager SchedulerManager schedule_task get_task_status wait_for_task
        cancel_task get_all_tasks get_pending_tasks get_running_tasks get_completed_tasks
        clear_completed_tasks start_scheduler stop_scheduler get_process_manager
        create_process_pool
        priority dependencies callback executor_id timeout max_workers
        success result_or_error status
    """,
    "001": """
        SchedulerService JobManager TriggerManager Housekeeper Result
        app_context job_manager trigger_manager housekeeper core.scheduler.service
        get_service schedule_task cancel_task pause_task resume_task start_background_processing
        create_job schedule_info execute_job update_job_status cleanup_completed_jobs
        calculate_next_execution is_execution_due create_recurring_schedule
        register_cleanup_task run_cleanup schedule_maintenance
        Result.success Result.error data code message details
        TASK_SCHEDULING_FAILED TASK_EXECUTION_FAILED
        name description module_id function_name parameters schedule_time recurring
        interval_type interval_value minutes hours days weeks months
        table_name date_column cleanup_interval batch_size directory max_age_hours
        ScheduledEvent EventExecution CleanupConfig
        scheduler_events id next_execution status last_execution execution_count max_executions
        last_error
        scheduler_executions event_id start_time end_time success result error trace_session_id
        scheduler_cleanup_config cleanup_type config enabled last_run next_run
        pending
        SCHEDULER_SETTINGS max_concurrent_tasks execution_timeout keep_execution_history
        CORE_SCHEDULER_MAX_CONCURRENT_TASKS CORE_SCHEDULER_CLEANUP_INTERVAL
        CORE_SCHEDULER_EXECUTION_TIMEOUT CORE_SCHEDULER_KEEP_EXECUTION_HISTORY
        execute_task cleanup_execution_history _scheduler_loop _execute_task_safely
        _validate_task_config db_ops get_due_tasks get_task create_task create_execution
        complete_execution delete_old_executions execute_query
        export_users_to_csv cleanup_old_logs long_running_task schedule_with_retry
        EXPORT_FAILED CLEANUP_FAILED PROCESSING_FAILED
        GET:/api/v1/scheduler/tasks
        GET:/api/v1/scheduler/tasks/{task_id}
        POST:/api/v1/scheduler/tasks
        DELETE:/api/v1/scheduler/tasks/{task_id}
        POST:/api/v1/scheduler/tasks/{task_id}/pause
        POST:/api/v1/scheduler/tasks/{task_id}/resume
        POST:/api/v1/scheduler/tasks/{task_id}/execute
        GET:/api/v1/scheduler/tasks/{task_id}/executions
        GET:/api/v1/scheduler/executions/{execution_id}
        tasks task_id executions execution_id created_at scheduled cancelled paused resumed running
    """,
    "002": """
        Scheduler CronSchedule IntervalSchedule OneTimeSchedule DailySchedule WeeklySchedule
        MonthlySchedule EventTrigger ScheduleTemplate RedisStorage redis_url
        queue_name check_interval missed_threshold lock_timeout metrics_enabled storage
        instance_id missed_schedule_handling max_missed_schedules
        schedule task args kwargs queue priority start_date end_date timezone max_retries
        retry_delay tags metadata timeout unique name template days time
        get_schedule get_schedule_by_name update_schedule version changelog pause_schedule
        resume_schedule delete_schedule list_schedules start pause resume shutdown trigger_now
        get_next_run_times count get_schedule_status get_statistics on_schedule_error
        trigger_event get_schedule_history
        status last_run last_result next_run run_count success_count error_count average_duration
        active high normal
        schedules_total schedules_active schedules_paused jobs_triggered_total
        jobs_triggered_last_24h success_rate scheduler_uptime missed_schedules
    """,
    "003": """
        AdvancedTaskScheduler TaskDefinition TaskExecution TaskDependency RetryConfig TaskPriority
        TaskStatus RetryStrategy PriorityTaskQueue TaskDependencyGraph DistributedTaskLock
        TaskRetryManager SchedulerHealthMonitor
        task_id task_name func_path priority dependencies require_lock lock_timeout retry_config
        dependency_type completion success failure
        CRITICAL HIGH NORMAL LOW BACKGROUND
        strategy max_attempts initial_delay max_delay backoff_multiplier jitter
        EXPONENTIAL LINEAR FIXED NONE
        register_task unregister_task schedule_task schedule_cron_task cron_expression cancel_task
        execution_id
        get_task_status get_health_status start stop wait
        status success_rate running_tasks queue_stats total_queued average_execution_time
        recent_errors error healthy degraded
        started_time retry_count
        PENDING RUNNING COMPLETED FAILED RETRYING CANCELLED SKIPPED
        redis_client max_concurrent_tasks REDIS_URL REDIS_PASSWORD
        task_definitions task_queue.size lock_manager.get_lock_ttl lock_manager.force_release
        dependency_graph.topological_sort
    """,
    "004": """
        Scheduler add_job add_timestamp_job add_interval_job add_one_time_job add_cron_job
        pause_job resume_job remove_job get_job_status list_jobs get_all_statuses shutdown
        job_id trigger func args kwargs timestamps interval_seconds max_runs start_time run_at
        cron_expression timezone
        TimestampTrigger IntervalTrigger OneTimeTrigger CronTrigger Trigger TriggerType CUSTOM
        RandomIntervalTrigger get_next_run_time after_time is_finished scheduled_job
        RUNNING PAUSED COMPLETED REMOVED
        status trigger_type execution_count elapsed_time_ms next_run_time
        frame_number_placeholder SchedulerContext
    """,
}
