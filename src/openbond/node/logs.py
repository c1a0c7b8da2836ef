"""How a node's programs log: one line each, plain text, no values of variables in tracebacks."""

import structlog


def configure_logs() -> None:
    """Set up structlog; secrets in local variables must not reach a log file."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
