"""Reading a /metrics page."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


class Exposition:
    """The samples of a page, by name and labels."""

    def __init__(self, text: str) -> None:
        """Parse it; text that Prometheus could not read is a ValueError."""
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def __call__(self, name: str, /, **labels: str) -> float:
        """The sum of the samples with this name and these labels; there must be one."""
        values = [each.value for each in self.samples if each.name == name and labels.items() <= each.labels.items()]
        assert values, (name, labels, sorted({sample.name for sample in self.samples}))
        return sum(values)

    @property
    def names(self) -> set[str]:
        """All names."""
        return {sample.name for sample in self.samples}
