"""The scheduler inside a FastAPI application: its routes and dashboard beside the host's own.

    uvicorn fastapi_app:app

REST is at /jobs/api/v1/scheduler, the dashboard at /jobs/scheduler/.
"""

from fastapi import FastAPI

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api import probes_router, scheduler_router

scheduler = AdvancedTaskScheduler()  # ADVANCED_SCHEDULER_STORE says where; in memory by default


@scheduler.task(task_id="greet")
def greet(name: str) -> str:
    return f"hello {name}"


@scheduler.task(task_id="tick")
async def tick() -> None: ...  # on the event loop that answers requests


tick.cron("* * * * * *")  # every second, once, however many workers say it

# The lifespan starts the engine on the loop of the server, and stops it before the server ends.
app = FastAPI(lifespan=scheduler.lifespan)
app.include_router(scheduler_router(scheduler), prefix="/jobs")
app.include_router(probes_router(scheduler), prefix="/jobs")  # /jobs/health/ready, /jobs/metrics


@app.post("/greetings")
def plan(name: str) -> dict[str, str]:
    """The host's own route: calls of the scheduler are plain and thread-safe."""
    return {"execution_id": greet.schedule(name)}
