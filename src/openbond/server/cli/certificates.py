"""The web server's certificate: ask another authority for one, and use what it signed."""

from pathlib import Path
from typing import Annotated

import typer

from openbond.server.control.web_tls import WebTls, put_in, write_request

from .state import StateOption, explained, made_state, use_state

certificates = typer.Typer(help="The web server's certificate.", no_args_is_help=True)


@certificates.command("request")
def request_certificate(
    name: Annotated[list[str], typer.Option(help="Host name or address; the first is the main.")],
    organization: str = "",
    organizational_unit: str = "",
    locality: str = "",
    region: Annotated[str, typer.Option(help="State or province.")] = "",
    country: Annotated[str, typer.Option(help="Two letters.")] = "",
    email: str = "",
    state: StateOption = None,
) -> None:
    """Print a signing request for another authority, for the key in use."""
    use_state(state)
    words = {
        "common_name": name[0],
        "organization": organization,
        "organizational_unit": organizational_unit,
        "locality": locality,
        "state": region,
        "country": country.upper(),
        "email": email,
    }
    with explained():
        files = WebTls(made_state().tls)
        subject = {part: text for part, text in words.items() if text}
        write_request(files, subject=subject, names=name)
        typer.echo(files.request.read_text(), nl=False)


@certificates.command("use")
def use_certificate(file: Path, state: StateOption = None) -> None:
    """Use a certificate of another authority (PEM, its chain after it); no restart is needed."""
    use_state(state)
    with explained():
        leaf = put_in(WebTls(made_state().tls), file.read_bytes())
        typer.echo(
            f"In use until {leaf.not_valid_after_utc:%Y-%m-%d}; a running server takes it over "
            "within a minute."
        )
