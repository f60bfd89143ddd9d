"""The scheduler mounted in a Starlette application.

    uvicorn starlette_app:app

The lifespan of what is mounted is never run, so the host has it: `run=False` leaves it to that.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api import create_app

scheduler = AdvancedTaskScheduler()


@scheduler.task(task_id="greet")
def greet(name: str) -> str:
    return f"hello {name}"


def plan(request: Request) -> JSONResponse:
    """The host's own route."""
    return JSONResponse({"execution_id": greet.schedule(request.query_params["name"])})


app = Starlette(
    routes=[
        Mount("/jobs", create_app(scheduler, run=False)),
        Route("/greetings", plan, methods=["POST"]),
    ],
    lifespan=scheduler.lifespan,
)
