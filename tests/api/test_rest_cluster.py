"""REST of the queue, the nodes, the locks and what this is."""

from __future__ import annotations

import asyncio

from tests.support.definitions import define
from tests.support.waiting import eventually

from .rest import ALL, Rest, add


def test_the_queue_has_five_lanes(rest: Rest) -> None:
    rest.post("/tasks/add/execute", {"args": [1], "priority": "critical"}, 202)
    rest.post("/tasks/add/execute", {"args": [1], "delay": 60}, 202)
    queue = rest.get("/queue")
    lanes = {one["priority"]: one for one in queue["lanes"]}
    assert list(lanes) == ["critical", "high", "normal", "low", "background"]
    assert (lanes["critical"]["ready"], lanes["normal"]["delayed"]) == (1, 1)
    assert not queue["paused"]


def test_nothing_starts_while_all_is_paused(rest: Rest) -> None:
    rest.post("/queue/pause", ALL)
    rest.post("/tasks/add/execute", {"args": [1]}, 202)
    rest.run()
    assert rest.get("/queue")["paused"]
    assert rest.get("/executions")["executions"][0]["status"] == "pending"
    rest.post("/queue/resume", ALL)
    rest.run()
    assert rest.get("/executions")["executions"][0]["status"] == "completed"


def test_a_lane_and_a_queue_are_paused_apart(rest: Rest) -> None:
    rest.post("/queue/pause", {"priority": "low"})
    rest.post("/queue/pause", {"queue": "mail"})
    for fields in ({"priority": "low"}, {"queue": "mail"}, {}):
        rest.post("/tasks/add/execute", {"args": [1], **fields}, 202)
    rest.run()
    found = {
        (one["priority"], one["queue"]): one["status"]
        for one in rest.get("/executions")["executions"]
    }
    assert found == {
        ("low", "default"): "pending",
        ("normal", "mail"): "pending",
        ("normal", "default"): "completed",
    }
    rest.post("/queue/resume", {"priority": "low"})
    rest.post("/queue/resume", {"queue": "mail"})
    rest.run()
    assert {one["status"] for one in rest.get("/executions")["executions"]} == {"completed"}
    assert rest.post("/queue/pause", {"queue": "a", "priority": "low"}, 422)


def test_a_node_is_seen_drained_and_resumed(rest: Rest) -> None:
    async def drained() -> None:
        scheduler = rest.scheduler
        await scheduler.start()
        try:
            await asyncio.to_thread(eventually, lambda: rest.get("/nodes")["items"])
            (node,) = (await asyncio.to_thread(rest.get, "/nodes"))["items"]
            assert (node["name"], node["state"], node["slots"]) == ("here", "alive", 10)
            path = f"/nodes/{node['id']}"
            assert await asyncio.to_thread(rest.post, f"{path}/drain") == {"status": "draining"}
            await asyncio.to_thread(
                eventually, lambda: rest.get("/nodes")["items"][0]["state"] == "draining"
            )
            body = {"args": [1]}
            made = await asyncio.to_thread(rest.post, "/tasks/add/execute", body, 202)
            await asyncio.to_thread(rest.post, f"{path}/resume")
            await asyncio.to_thread(scheduler.wait_for_task, made["execution_id"], 10)
            assert await asyncio.to_thread(rest.ask, "DELETE", path, 409)
        finally:
            await scheduler.stop()

    asyncio.run(drained())
    assert rest.get("/nodes")["items"] == []
    assert rest.post("/nodes/gone/drain", status=404)["code"] == "node-not-found"


def test_a_lock_is_seen_and_taken_away(rest: Rest) -> None:
    rest.scheduler.register_task(define(add, task_id="locked", args=[1], require_lock=True))
    (lock,) = rest.get("/locks")["items"]
    assert (lock["task_id"], lock["held"], lock["ttl"]) == ("locked", False, None)
    assert rest.post("/locks/locked/release", status=409)["code"] == "lock-free"
    grant = rest.scheduler.lock_manager.try_acquire("locked", 60)
    assert grant is not None
    (lock,) = rest.get("/locks")["items"]
    assert (lock["held"], lock["fence"]) == (True, grant.fence)
    assert rest.post("/locks/locked/release") == {"status": "released"}
    assert rest.post("/locks/add/release", status=404)["code"] == "lock-not-found"


def test_it_says_what_it_is_and_hides_secrets(rest: Rest) -> None:
    assert rest.get("/version")["store"] == "MemoryStore"
    assert rest.get("/settings")["settings"]["store"] == "********"
    assert rest.get("/health")["status"] == "healthy"


def test_probes_answer_without_a_key(rest: Rest) -> None:
    for path in ("/health/live", "/health/ready", "/health/startup", "/metrics", "/health"):
        answer = rest.client.request("GET", path)
        assert answer.status_code in (200, 503)
        assert answer.headers["cache-control"] == "no-store"


def test_an_unknown_type_of_event_is_refused_with_those_there_are(rest: Rest) -> None:
    told = rest.get("/events?type=execution.vanished", 422)
    (fault,) = told["errors"]
    assert fault["pointer"].startswith("query:type")
    assert "'execution.finished'" in fault["detail"]


def test_health_has_the_keys_of_the_document(rest: Rest) -> None:
    report = rest.get("/health")
    wanted = {"status", "success_rate", "running_tasks", "queue_stats", "average_execution_time"}
    assert wanted | {"recent_errors"} <= report.keys()
    assert report["queue_stats"]["total_queued"] == 0
