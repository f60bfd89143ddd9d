CREATE TABLE advanced_scheduler_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT advanced_scheduler_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE scheduler_meta (
    "key" VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE executions (
    execution_id VARCHAR NOT NULL,
    task_id VARCHAR NOT NULL,
    task_name VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    priority SMALLINT NOT NULL,
    scheduled_time BIGINT NOT NULL,
    started_time BIGINT,
    completed_time BIGINT,
    result TEXT,
    error TEXT,
    traceback_str TEXT,
    retry_count INTEGER NOT NULL,
    lock_id VARCHAR,
    dependencies TEXT,
    metrics TEXT,
    created_time BIGINT,
    due_time BIGINT,
    attempt INTEGER NOT NULL,
    fence BIGINT NOT NULL,
    crashes INTEGER NOT NULL,
    node VARCHAR,
    lease_until BIGINT,
    args TEXT,
    kwargs TEXT,
    timeout DOUBLE,
    tags TEXT,
    unique_key VARCHAR,
    workflow_id VARCHAR,
    schedule_id VARCHAR,
    blocked SMALLINT NOT NULL,
    wait_until BIGINT,
    at_most_once SMALLINT DEFAULT '0' NOT NULL,
    queue VARCHAR DEFAULT 'default' NOT NULL,
    rank SMALLINT DEFAULT '0' NOT NULL,
    extras TEXT,
    reason TEXT,
    cause TEXT,
    PRIMARY KEY (execution_id)
);

CREATE INDEX executions_status ON executions (status, execution_id, priority);

CREATE INDEX executions_schedule ON executions (schedule_id, execution_id) WHERE schedule_id IS NOT NULL;

CREATE INDEX executions_workflow ON executions (workflow_id, execution_id) WHERE workflow_id IS NOT NULL;

CREATE UNIQUE INDEX executions_unique_key ON executions (unique_key) WHERE unique_key IS NOT NULL;

CREATE INDEX executions_blocked ON executions (execution_id) WHERE blocked = 1;

CREATE INDEX executions_ended ON executions (completed_time, execution_id) WHERE completed_time IS NOT NULL;

CREATE INDEX executions_claim ON executions (priority, rank DESC, coalesce(due_time, scheduled_time), execution_id) WHERE status IN ('pending', 'retrying') AND blocked = 0;

CREATE INDEX executions_task ON executions (task_id, execution_id);

CREATE TABLE execution_edges (
    downstream VARCHAR NOT NULL,
    upstream VARCHAR NOT NULL,
    PRIMARY KEY (downstream, upstream)
)
 WITHOUT ROWID;

CREATE INDEX execution_edges_upstream ON execution_edges (upstream, downstream);

CREATE TABLE schedules (
    schedule_id VARCHAR NOT NULL,
    task_id VARCHAR NOT NULL,
    "trigger" TEXT NOT NULL,
    args TEXT,
    kwargs TEXT,
    priority SMALLINT,
    next_fire_time BIGINT,
    last_fire_time BIGINT,
    ledger_from BIGINT,
    resumed_time BIGINT,
    paused SMALLINT NOT NULL,
    version INTEGER NOT NULL,
    misfire VARCHAR NOT NULL,
    max_catch_up INTEGER NOT NULL,
    grace_seconds DOUBLE,
    overlap VARCHAR NOT NULL,
    tags TEXT,
    name VARCHAR,
    event VARCHAR,
    queue VARCHAR,
    timeout DOUBLE,
    retry TEXT,
    metadata TEXT,
    max_runs INTEGER,
    run_count INTEGER DEFAULT '0' NOT NULL,
    pause_on_failure INTEGER,
    created_time BIGINT,
    changed_time BIGINT,
    changelog TEXT,
    PRIMARY KEY (schedule_id)
);

CREATE INDEX schedules_due ON schedules (next_fire_time) WHERE paused = 0;

CREATE INDEX schedules_task ON schedules (task_id, schedule_id);

CREATE INDEX schedules_event ON schedules (event, schedule_id) WHERE event IS NOT NULL;

CREATE UNIQUE INDEX schedules_unique_name ON schedules (name) WHERE name IS NOT NULL;

CREATE TABLE schedule_versions (
    schedule_id VARCHAR NOT NULL,
    task_id VARCHAR NOT NULL,
    "trigger" TEXT NOT NULL,
    args TEXT,
    kwargs TEXT,
    priority SMALLINT,
    next_fire_time BIGINT,
    last_fire_time BIGINT,
    ledger_from BIGINT,
    resumed_time BIGINT,
    paused SMALLINT NOT NULL,
    version INTEGER NOT NULL,
    misfire VARCHAR NOT NULL,
    max_catch_up INTEGER NOT NULL,
    grace_seconds DOUBLE,
    overlap VARCHAR NOT NULL,
    tags TEXT,
    name VARCHAR,
    event VARCHAR,
    queue VARCHAR,
    timeout DOUBLE,
    retry TEXT,
    metadata TEXT,
    max_runs INTEGER,
    run_count INTEGER DEFAULT '0' NOT NULL,
    pause_on_failure INTEGER,
    created_time BIGINT,
    changed_time BIGINT,
    changelog TEXT,
    PRIMARY KEY (schedule_id, version)
);

CREATE TABLE schedule_totals (
    schedule_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    count BIGINT NOT NULL,
    seconds DOUBLE NOT NULL,
    PRIMARY KEY (schedule_id, status)
)
 WITHOUT ROWID;

CREATE TABLE ticks (
    schedule_id VARCHAR NOT NULL,
    instant BIGINT NOT NULL,
    version INTEGER NOT NULL,
    outcome VARCHAR NOT NULL,
    execution_id VARCHAR,
    reason TEXT,
    recorded_time BIGINT NOT NULL,
    PRIMARY KEY (schedule_id, instant)
)
 WITHOUT ROWID;

CREATE INDEX ticks_instant ON ticks (instant);

CREATE TABLE locks (
    "key" VARCHAR NOT NULL,
    token VARCHAR,
    until BIGINT,
    fence BIGINT NOT NULL,
    PRIMARY KEY ("key")
);

CREATE VIEW scheduler_events AS 
SELECT
    schedule_id AS id,
    coalesce(json_extract(facts, '$.name'), name, schedule_id) AS name,
    json_extract(facts, '$.description') AS description,
    coalesce(json_extract(facts, '$.module_id'), substr(rtrim(task_id, replace(task_id, '.', '')), 1, length(rtrim(task_id, replace(task_id, '.', ''))) - 1)) AS module_id,
    coalesce(json_extract(facts, '$.function_name'), substr(task_id, length(rtrim(task_id, replace(task_id, '.', ''))) + 1)) AS function_name,
    coalesce(CASE WHEN json_type(facts, '$.parameters') IN ('object') THEN json_extract(facts, '$.parameters') END, CASE WHEN kwargs IS NOT NULL AND NOT json_valid(kwargs) OR instr(kwargs, '\u0000') > 0 THEN json_quote(kwargs) ELSE kwargs END, '{}') AS parameters,
    coalesce(CASE WHEN json_type(facts, '$.recurring') IN ('true', 'false') THEN json_extract(facts, '$.recurring') END, json_extract(rule, '$.type') <> 'once') AS recurring,
    json_extract(facts, '$.interval_type') AS interval_type,
    CASE WHEN json_type(facts, '$.interval_value') IN ('integer') THEN json_extract(facts, '$.interval_value') END AS interval_value,
    strftime('%Y-%m-%d %H:%M:%S', next_fire_time / 1000000, 'unixepoch') || printf('.%06d', next_fire_time % 1000000) AS next_execution,
    CASE
        WHEN paused = 1 THEN 'paused'
        WHEN EXISTS (SELECT 1 FROM executions AS e WHERE e.schedule_id = s.schedule_id AND e.status = 'running') THEN 'running'
        WHEN run_count >= max_runs OR (next_fire_time IS NULL AND event IS NULL) THEN 'completed'
        ELSE 'pending'
    END AS status,
    strftime('%Y-%m-%d %H:%M:%S', last_fire_time / 1000000, 'unixepoch') || printf('.%06d', last_fire_time % 1000000) AS last_execution,
    run_count AS execution_count,
    max_runs AS max_executions,
    (
        SELECT e.error FROM executions AS e WHERE e.schedule_id = s.schedule_id AND e.status = 'failed' ORDER BY e.execution_id DESC LIMIT 1
    ) AS last_error
FROM (SELECT schedule_id, name, task_id, kwargs, paused, next_fire_time, last_fire_time, event, max_runs, run_count, CASE WHEN json_valid(metadata) THEN metadata ELSE '{}' END AS facts, CASE WHEN json_valid(trigger) THEN trigger ELSE '{}' END AS rule FROM schedules) AS s
WHERE json_extract(facts, '$.cleanup_type') IS NULL;

CREATE VIEW scheduler_cleanup_config AS 
SELECT
    schedule_id AS id,
    coalesce(json_extract(facts, '$.module_id'), substr(rtrim(task_id, replace(task_id, '.', '')), 1, length(rtrim(task_id, replace(task_id, '.', ''))) - 1)) AS module_id,
    json_extract(facts, '$.cleanup_type') AS cleanup_type,
    coalesce(CASE WHEN json_type(facts, '$.config') IN ('object') THEN json_extract(facts, '$.config') END, '{}') AS config,
    paused = 0 AS enabled,
    strftime('%Y-%m-%d %H:%M:%S', last_fire_time / 1000000, 'unixepoch') || printf('.%06d', last_fire_time % 1000000) AS last_run,
    strftime('%Y-%m-%d %H:%M:%S', next_fire_time / 1000000, 'unixepoch') || printf('.%06d', next_fire_time % 1000000) AS next_run
FROM (SELECT schedule_id, name, task_id, kwargs, paused, next_fire_time, last_fire_time, event, max_runs, run_count, CASE WHEN json_valid(metadata) THEN metadata ELSE '{}' END AS facts, CASE WHEN json_valid(trigger) THEN trigger ELSE '{}' END AS rule FROM schedules) AS s
WHERE json_extract(facts, '$.cleanup_type') IS NOT NULL;

CREATE VIEW scheduler_executions AS 
SELECT
    execution_id AS id,
    schedule_id AS event_id,
    strftime('%Y-%m-%d %H:%M:%S', coalesce(started_time, completed_time) / 1000000, 'unixepoch') || printf('.%06d', coalesce(started_time, completed_time) % 1000000) AS start_time,
    strftime('%Y-%m-%d %H:%M:%S', completed_time / 1000000, 'unixepoch') || printf('.%06d', completed_time % 1000000) AS end_time,
    CASE WHEN completed_time IS NOT NULL THEN status = 'completed' END AS success,
    CASE WHEN result IS NOT NULL AND NOT json_valid(result) OR instr(result, '\u0000') > 0 THEN json_quote(result) ELSE result END AS result,
    error,
    json_extract((CASE WHEN json_valid(extras) THEN extras ELSE '{}' END), '$.metadata.trace_session_id') AS trace_session_id
FROM executions
WHERE schedule_id IS NOT NULL AND coalesce(started_time, completed_time) IS NOT NULL;

INSERT INTO scheduler_meta (key, value)
VALUES ('schema', '1');

INSERT INTO scheduler_meta (key, value)
VALUES ('readable_from', '0001');

INSERT INTO advanced_scheduler_version (version_num)
VALUES ('0003');
