"""The text format of Prometheus, version 0.0.4: families of gauges and counters."""

from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. Names end in their unit, in base units; a counter in `_total`."""

    name: str
    help: str
    kind: str = "gauge"


def labels(**values: object) -> str:
    """Return labels as text, without braces: they are joined to others."""
    return ",".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in values.items())


class Page:
    """Samples by family: the format wants those of one family together."""

    def __init__(self) -> None:
        self._lines: dict[Family, list[str]] = {}

    def add(self, family: Family, value: float, given: str = "") -> None:
        """Add a sample; `given` is what `labels` returns."""
        lines = self._lines.get(family)
        if lines is None:
            head = f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}"
            lines = self._lines[family] = [head]
        shown = f"{value:.9g}" if isinstance(value, float) else str(value)
        lines.append(f"{family.name}{{{given}}} {shown}" if given else f"{family.name} {shown}")

    def text(self) -> str:
        return "".join("\n".join(lines) + "\n" for lines in self._lines.values())
