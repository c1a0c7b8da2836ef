"""Whom a node believes to be its server: public authorities and the private CA (§1.5)."""

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from openbond.node.errors import ClockWrong, NodeError, ServerNotTrusted
from openbond.node.settings import ServerAddress

# OpenSSL's X509_V_ERR_* that tell the clock from the authority.
NOT_YET_VALID, EXPIRED = 9, 10
NAME_MISMATCHES = (62, 63, 64)
CLOCK_TOLERANCE = timedelta(hours=1)


def checked(ca_pem: str | None) -> ssl.SSLContext:
    """Return a context that accepts the public authorities and the private CA.

    Raises ServerNotTrusted when the CA's text holds no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_pem:
        try:
            context.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError) as damage:
            raise ServerNotTrusted(
                "The CA file holds no PEM certificate: copy `ca.pem` from the server again."
            ) from damage
    return context


def unchecked() -> ssl.SSLContext:
    """Return a context that checks nothing: only to read a clock or to fetch what is pinned."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate_failure(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the failed certificate check that caused `error`, None when it was something else."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def is_about_time(failure: ssl.SSLCertVerificationError) -> bool:
    return failure.verify_code in (NOT_YET_VALID, EXPIRED)


def explain(
    failure: ssl.SSLCertVerificationError,
    *,
    server: ServerAddress,
    server_time: datetime | None,
    now: datetime,
) -> NodeError:
    """Return the error an operator can act on. `server_time`: the server's own clock, if known."""
    if is_about_time(failure):
        return _about_time(failure, server=server, server_time=server_time, now=now)
    if failure.verify_code in NAME_MISMATCHES:
        return ServerNotTrusted(
            f"The certificate of {server} is not made for {server.host}: use the name that the "
            "server was set up with, or add this name on the server."
        )
    return ServerNotTrusted(
        f"The certificate of {server} comes from an authority this node does not know "
        f"({failure.verify_message}): check the address, and give the server's CA with "
        "`--ca FILE` or `--ca-fingerprint SHA256`."
    )


def _about_time(
    failure: ssl.SSLCertVerificationError,
    *,
    server: ServerAddress,
    server_time: datetime | None,
    now: datetime,
) -> NodeError:
    if server_time is not None and abs(server_time - now) > CLOCK_TOLERANCE:
        behind = server_time > now
        return ClockWrong(
            f"This node's clock ({now:%Y-%m-%d %H:%M} UTC) is {_words(abs(server_time - now))} "
            f"{'behind' if behind else 'ahead of'} the server's ({server_time:%Y-%m-%d %H:%M} "
            "UTC), so its certificate does not count: set the clock, e.g. "
            "`timedatectl set-ntp true`."
        )
    valid = "not valid yet" if failure.verify_code == NOT_YET_VALID else "expired"
    return ServerNotTrusted(
        f"The certificate of {server} is {valid}, and the clocks agree: renew it on the server."
    )


def _words(gap: timedelta) -> str:
    hours = round(gap.total_seconds() / 3600)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"


def read_date(header: str | None) -> datetime | None:
    """Return the time in an HTTP Date header, None without a readable one."""
    try:
        found = parsedate_to_datetime(header or "")
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
