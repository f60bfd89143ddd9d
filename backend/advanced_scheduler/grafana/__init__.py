"""What Grafana and Prometheus need to watch schedulers: a dashboard, alerts, how to load them."""

from __future__ import annotations

from .export import export, files

__all__ = ["export", "files"]
