"""What the contract's tests counted is told at the end of a run."""

import pytest

COUNTED = pytest.StashKey[list[str]]()


def tell(config: pytest.Config, line: str) -> None:
    """Have `line` printed in the summary of the run."""
    config.stash.setdefault(COUNTED, []).append(line)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash.get(COUNTED, []):
        terminalreporter.write_line(line)
