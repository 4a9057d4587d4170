"""OpenTelemetry: a span for each request, sent where the environment says (``OTEL_...``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fastapi import FastAPI

from delocal.service.errors import DelocalError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

UNTRACED = "healthz,readyz,metrics"


def install(app: FastAPI, exporter: SpanExporter | None = None) -> None:
    """Trace the requests of an app; they are children of the span that a caller sends along.

    Spans go to ``OTEL_EXPORTER_OTLP_ENDPOINT``, by default http://localhost:4318, unless an
    `exporter` is given. What cannot be sent is dropped: no request waits for it.

    Raises
    ------
    DelocalError
        If the libraries of the extra ``telemetry`` are not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.sdk.environment_variables import OTEL_SERVICE_NAME
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise DelocalError(
            f"traces need more libraries ({error}): pip install 'delocal[telemetry]', "
            "or set DELOCAL_TRACES=false"
        ) from error
    name = os.environ.get(OTEL_SERVICE_NAME, "delocal")
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, excluded_urls=UNTRACED)
    app.state.tracer_provider = provider
