"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Meters:
    """The figures of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "avpipe_requests", "Requests", ("endpoint", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "avpipe_request_seconds", "Until an answer began", ("endpoint",),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
            registry=self._registry,
        )  # fmt: skip
        self._renders = Counter(
            "avpipe_renders", "Attempts at a render", ("outcome",), registry=self._registry
        )
        self._render_seconds = Histogram(
            "avpipe_render_seconds", "Of an attempt at a render",
            buckets=(1, 5, 15, 60, 300, 1800, 7200), registry=self._registry,
        )  # fmt: skip
        self._queue = Gauge(
            "avpipe_renders_unfinished", "Renders that wait or run", ("state",),
            registry=self._registry,
        )  # fmt: skip
        self.streams = Gauge("avpipe_streams_open", "Event streams", registry=self._registry)
        self.uploaded = Counter("avpipe_uploaded_bytes", "Uploads", registry=self._registry)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """A request got its answer."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def rendered(self, outcome: str, seconds: float) -> None:
        """An attempt at a render came to its end."""
        self._renders.labels(outcome).inc()
        self._render_seconds.observe(seconds)

    def text(self, counts: Callable[[], dict[str, int]]) -> bytes:
        """All figures, as Prometheus reads them."""
        for state, count in counts().items():
            self._queue.labels(state).set(count)
        return generate_latest(self._registry)
