"""Owns reading the spans that a provider of OpenTelemetry's SDK has exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, format_span_id, format_trace_id


class Spans:
    """What a provider of its own has exported, in the order of the ends."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def of(self, kind: SpanKind) -> list[ReadableSpan]:
        """Those of one kind."""
        return [span for span in self._exporter.get_finished_spans() if span.kind is kind]

    def named(self, name: str) -> ReadableSpan:
        """The only one of this name."""
        (span,) = [one for one in self._exporter.get_finished_spans() if one.name == name]
        return span

    def close(self) -> None:
        """Export nothing more."""
        self.provider.shutdown()


def parent_of(context: SpanContext | None) -> str:
    """The ``traceparent`` that names this span."""
    assert context is not None
    ids = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return f"00-{ids[0]}-{ids[1]}-{context.trace_flags:02x}"


def links_of(span: ReadableSpan) -> list[str]:
    """The ``traceparent`` of each span that it is linked to."""
    return [parent_of(link.context) for link in span.links]


def attributes_of(span: ReadableSpan) -> Mapping[str, Any]:
    """Its attributes."""
    return span.attributes or {}
