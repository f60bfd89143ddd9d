"""The service: what operators and programs ask of a scheduler, by REST or from a terminal."""

from __future__ import annotations

from .app import create_app, openapi, probes_router, scheduler_router
from .auth import Principal, Scope
from .slashes import NamesWithSlashes

__all__ = [
    "NamesWithSlashes",
    "Principal",
    "Scope",
    "create_app",
    "openapi",
    "probes_router",
    "scheduler_router",
]
