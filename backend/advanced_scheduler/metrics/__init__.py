"""Speaks Prometheus: the metrics of one scheduler, served beside its probes over plain HTTP."""

from __future__ import annotations

from .series import SchedulerMetrics
from .server import MetricsServer, serve

__all__ = ["MetricsServer", "SchedulerMetrics", "serve"]
