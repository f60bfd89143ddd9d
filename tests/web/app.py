"""Owns the application that gunicorn serves: a scheduler inside, and a schedule of every second."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException

from advanced_scheduler import AdvancedTaskScheduler
from tests.scenarios.tasks import nap, note

scheduler = AdvancedTaskScheduler()  # settings and store come from the environment
scheduler.task(task_id="nap")(nap)
scheduler.task(task_id="note")(note).cron("* * * * * *")  # again in each worker: one schedule

app = FastAPI(lifespan=scheduler.lifespan)


@app.get("/health")
def health() -> dict[str, Any]:
    """How the worker is that answers."""
    return scheduler.get_health_status()


@app.post("/naps", status_code=202)
def schedule_nap(seconds: float) -> dict[str, str]:
    """Schedule a nap, for whichever worker takes it."""
    return {"execution_id": scheduler.schedule_task("nap", seconds)}


@app.get("/naps/{execution_id}")
def look_up(execution_id: str) -> dict[str, Any]:
    """What became of it, whichever worker is asked."""
    status = scheduler.get_task_status(execution_id)
    if status is None:
        raise HTTPException(404)
    return status
