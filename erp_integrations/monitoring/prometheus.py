"""Export health in Prometheus' text format.

A module of its own, because the library is needed only where metrics are collected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from erp_integrations.monitoring.health import Snapshot
from erp_integrations.monitoring.metrics import Sample, metrics


class SnapshotCollector(Collector):
    """The metrics of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that has a sample."""
        for name, text, samples in metrics(self.snapshot):
            if samples:
                yield _gauge(name, text, samples)


def as_text(snapshot: Snapshot) -> bytes:
    """All metrics in Prometheus' text format."""
    # Not the library's own registry, which adds metrics of the web process that was asked.
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot))
    return generate_latest(registry)


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Metric:
    gauge = GaugeMetricFamily(f"erpbridge_{name}", text)
    for labels, value in samples:
        gauge.add_sample(gauge.name, {key: str(label) for key, label in labels.items()}, value)
    return gauge
