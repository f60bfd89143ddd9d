"""What a node of ``demo --cluster`` is given as ``--app``; its settings are in the environment."""

from __future__ import annotations

from pathlib import Path

from .application import Application, demo_scheduler

scheduler = Application(demo_scheduler(), Path.cwd()).scheduler
