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
    reason TEXT,
    cause TEXT,
    PRIMARY KEY (execution_id)
);

CREATE INDEX executions_task ON executions (task_id, execution_id);

CREATE INDEX executions_ended ON executions (completed_time, execution_id) WHERE completed_time IS NOT NULL;

CREATE INDEX executions_blocked ON executions (execution_id) WHERE blocked = 1;

CREATE INDEX executions_workflow ON executions (workflow_id, execution_id) WHERE workflow_id IS NOT NULL;

CREATE INDEX executions_status ON executions (status, execution_id, priority);

CREATE INDEX executions_schedule ON executions (schedule_id, execution_id) WHERE schedule_id IS NOT NULL;

CREATE UNIQUE INDEX executions_unique_key ON executions (unique_key) WHERE unique_key IS NOT NULL;

CREATE INDEX executions_claim ON executions (priority, coalesce(due_time, scheduled_time), execution_id) WHERE status IN ('pending', 'retrying') AND blocked = 0;

CREATE TABLE execution_edges (
    downstream VARCHAR NOT NULL,
    upstream VARCHAR NOT NULL,
    PRIMARY KEY (downstream, upstream)
) WITHOUT ROWID;

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
    PRIMARY KEY (schedule_id)
);

CREATE INDEX schedules_due ON schedules (next_fire_time) WHERE paused = 0;

CREATE TABLE ticks (
    schedule_id VARCHAR NOT NULL,
    instant BIGINT NOT NULL,
    version INTEGER NOT NULL,
    outcome VARCHAR NOT NULL,
    execution_id VARCHAR,
    reason TEXT,
    recorded_time BIGINT NOT NULL,
    PRIMARY KEY (schedule_id, instant)
) WITHOUT ROWID;

CREATE INDEX ticks_instant ON ticks (instant);

CREATE TABLE locks (
    "key" VARCHAR NOT NULL,
    token VARCHAR,
    until BIGINT,
    fence BIGINT NOT NULL,
    PRIMARY KEY ("key")
);

INSERT INTO scheduler_meta (key, value)
VALUES ('schema', '1');

INSERT INTO scheduler_meta (key, value)
VALUES ('readable_from', '0001');

INSERT INTO advanced_scheduler_version (version_num)
VALUES ('0002');
