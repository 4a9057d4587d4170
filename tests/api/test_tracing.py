"""Traces: one span for each request, sent to an OTLP endpoint, and only where asked for."""

import http.server
import sys
import threading

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from delocal.api import tracing
from delocal.api.app import create_app
from delocal.service.errors import DelocalError
from tests.api.conftest import client_of
from tests.waiting import PATIENCE

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def spans_of(client, path, **headers):
    """Return the spans of one request."""
    exporter = InMemorySpanExporter()
    tracing.install(client.app, exporter)
    client.get(path, headers=headers)
    client.app.state.tracer_provider.force_flush()
    return exporter.get_finished_spans()


def test_a_request_is_a_span_of_its_caller_by_its_route(service):
    client = client_of(service)
    found = spans_of(client, "/v1/models/scaling", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    [span] = [span for span in found if span.kind.name == "SERVER"]
    assert span.name == "GET /v1/models/{name}"
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.resource.attributes["service.name"] == "delocal"


def test_health_is_not_traced(service):
    assert spans_of(client_of(service), "/healthz") == ()


def test_spans_are_sent_to_the_endpoint_of_the_environment(service, monkeypatch):
    received = threading.Event()
    asked = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            received.set()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        service.settings.traces = True
        client = client_of(service)
        client.get("/v1/models")
        client.app.state.tracer_provider.force_flush()
        assert received.wait(PATIENCE)
        client.app.state.tracer_provider.shutdown()
        server.shutdown()
    [(path, body), *_] = asked
    assert path == "/v1/traces"
    assert b"GET /v1/models" in body


def test_nothing_is_traced_unless_asked_for(service):
    assert not hasattr(create_app(service).state, "tracer_provider")


def test_without_the_libraries_the_error_says_what_to_install(service, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.fastapi", None)
    service.settings.traces = True
    with pytest.raises(DelocalError, match=r"pip install 'delocal\[telemetry\]'"):
        create_app(service)
