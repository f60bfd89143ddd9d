INSERT INTO executions (execution_id, task_id, task_name, status, priority, scheduled_time, started_time, completed_time, result, retry_count, metrics, attempt, fence, crashes, args, kwargs, tags, workflow_id, blocked)
VALUES ('completed', 't', 'T', 'completed', 2, 1893456000000000, 1893456000000000, 1893456000000000, '{"n":1}', 0, '{"execution_time":0.5}', 1, 1, 0, '[1,"two"]', '{"day":"2030-01-01"}', '["a"]', 'w', 0);

INSERT INTO executions (execution_id, task_id, task_name, status, priority, scheduled_time, started_time, completed_time, error, traceback_str, retry_count, attempt, fence, crashes, blocked, cause, at_most_once)
VALUES ('failed', 't', 'T', 'failed', 2, 1893456000000000, 1893456000000000, 1893456000000000, 'ValueError: no', 'Traceback', 0, 1, 1, 0, 0, 'task ''t'' (execution failed) failed: ValueError: no', 0);

INSERT INTO executions (execution_id, task_id, task_name, status, priority, scheduled_time, started_time, error, retry_count, due_time, attempt, fence, crashes, blocked, reason)
VALUES ('retrying', 't', 'T', 'retrying', 2, 1893456000000000, 1893456000000000, 'ValueError: no', 1, 1893456060000000, 1, 1, 0, 0, 'retry 1 after: ValueError: no');

INSERT INTO executions (execution_id, task_id, task_name, status, priority, scheduled_time, completed_time, retry_count, attempt, fence, crashes, blocked, reason, cause)
VALUES ('cancelled', 't', 'T', 'cancelled', 2, 1893456000000000, 1893456000000000, 0, 0, 0, 0, 0, 'cancelled by a caller', 'task ''t'' (execution cancelled) was cancelled');

INSERT INTO executions (execution_id, task_id, task_name, status, priority, scheduled_time, completed_time, error, retry_count, attempt, fence, crashes, blocked, reason, cause)
VALUES ('skipped', 't', 'T', 'skipped', 2, 1893456000000000, 1893456000000000, 'because', 0, 0, 0, 0, 0, 'because', 'failed');

INSERT INTO executions (execution_id, task_id, task_name, status, priority, scheduled_time, started_time, retry_count, attempt, fence, crashes, node, lease_until, blocked)
VALUES ('running', 't', 'T', 'running', 2, 1893456000000000, 1893456000000000, 0, 1, 1, 0, 'node', 1893456060000000, 0);

INSERT INTO executions (execution_id, task_id, task_name, status, priority, scheduled_time, retry_count, attempt, fence, crashes, timeout, unique_key, schedule_id, blocked)
VALUES ('pending', 't', 'T', 'pending', 1, 1893456000000000, 0, 0, 0, 0, 2.5, 'only one', 's', 0);

INSERT INTO executions (execution_id, task_id, task_name, status, priority, scheduled_time, retry_count, dependencies, attempt, fence, crashes, blocked, wait_until)
VALUES ('blocked', 't', 'T', 'pending', 2, 1893456000000000, 0, '[["t","completion",null,"pending"],["t","success",null,null]]', 0, 0, 0, 1, 1893542400000000);

INSERT INTO execution_edges (downstream, upstream)
VALUES ('blocked', 'pending');

INSERT INTO execution_edges (downstream, upstream)
VALUES ('blocked', 'task:t');

INSERT INTO schedules (schedule_id, task_id, trigger, next_fire_time, last_fire_time, ledger_from, paused, version, misfire, max_catch_up, overlap, created_time, changed_time)
VALUES ('s', 't', '{"type":"interval","v":1,"interval":60.0,"timezone":"UTC","start_time":"2030-01-01T00:00:00+00:00"}', 1893456060000000, 1893456000000000, 1893456000000000, 0, 1, 'run_latest', 10, 'allow', 1893456000000000, 1893456000000000);

INSERT INTO schedules (schedule_id, task_id, trigger, next_fire_time, ledger_from, resumed_time, paused, version, misfire, max_catch_up, overlap)
VALUES ('paused', 't', '{"type":"interval","v":1,"interval":60.0,"timezone":"UTC","start_time":"2030-01-01T00:00:00+00:00"}', 1893456000000000, 1893456000000000, 1893456000000000, 1, 1, 'run_latest', 10, 'allow');

INSERT INTO schedule_versions (schedule_id, task_id, trigger, next_fire_time, last_fire_time, ledger_from, paused, version, misfire, max_catch_up, overlap, created_time, changed_time)
VALUES ('s', 't', '{"type":"interval","v":1,"interval":60.0,"timezone":"UTC","start_time":"2030-01-01T00:00:00+00:00"}', 1893456060000000, 1893456000000000, 1893456000000000, 0, 1, 'run_latest', 10, 'allow', 1893456000000000, 1893456000000000);

INSERT INTO schedule_totals (schedule_id, status, count, seconds)
VALUES ('s', 'completed', 2, 1.5);

INSERT INTO ticks (schedule_id, instant, version, outcome, recorded_time)
VALUES ('s', 1893456000000000, 1, 'fired', 1893456000000000);

INSERT INTO locks (key, token, until, fence)
VALUES ('held', 'token', 1893542400000000, 1);

INSERT INTO locks (key, fence)
VALUES ('free', 1);
