"""Owns the applications with REST that uvicorn serves: two of its own, and one of a host."""

from __future__ import annotations

from fastapi import FastAPI

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api import create_app, scheduler_router


def alone() -> FastAPI:
    """The service by itself."""
    return create_app(AdvancedTaskScheduler())


def apart() -> FastAPI:
    """The service of a scheduler that runs elsewhere."""
    return create_app(AdvancedTaskScheduler(), run=False)


def hosted() -> FastAPI:
    """The service in an application that does nothing for it but start the scheduler."""
    scheduler = AdvancedTaskScheduler()
    app = FastAPI(lifespan=scheduler.lifespan)
    app.include_router(scheduler_router(scheduler))
    return app
