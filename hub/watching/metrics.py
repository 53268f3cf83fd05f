"""The hub's numbers in Prometheus's text format: requests as they are served, everything else when somebody asks."""

from collections.abc import Iterable

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hub.core.checks import Checks
from hub.core.gauges import Gauges
from hub.core.runtime import Runtime
from hub.web.requests import on_answer

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One hub's registry. Labels hold endpoints, never addresses: an address may hold what is somebody's business."""

    def __init__(self, runtime: Runtime) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._requests = Histogram(
            "cunxiang_http_request_seconds",
            "How long requests took.",
            ("method", "endpoint", "status"),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self.registry.register(_Asked(runtime))

    def observe(self, app: Flask) -> None:
        """Measure every request of this application."""

        def measured(response: Response, seconds: float) -> None:
            labels = (request.method, request.endpoint or "none", f"{response.status_code // 100}xx")
            self._requests.labels(*labels).observe(seconds)

        on_answer(app, measured)

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return bytes(generate_latest(self.registry))


class _Asked(Collector):
    """What is looked up at the moment somebody asks."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return gauges of the rooms, and how well the hub finds itself."""
        runtime = self._runtime
        with runtime.sessions.read() as session:
            for gauge, readings in runtime.get(Gauges).read(session):
                family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
                for reading in readings:
                    family.add_metric([reading.labels.get(name, "") for name in gauge.labels], reading.value)
                yield family
        health = GaugeMetricFamily(
            "cunxiang_finding", "What the hub found about itself: 0 good, 1 look, 2 bad.", labels=("code",)
        )
        worst: dict[str, float] = {}
        for finding in runtime.get(Checks).ask(runtime):
            worst[finding.code] = max(worst.get(finding.code, 0.0), float(finding.level))
        for code, level in sorted(worst.items()):
            health.add_metric([code], level)
        yield health
