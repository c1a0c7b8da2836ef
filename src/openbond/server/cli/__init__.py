"""`openbond server`: start the management server, and what is done to it by hand."""

import typer

from .accounts import create_admin, delete_second_factors, set_password, tokens
from .allocations import merge_allocations
from .audit import show_audit
from .backups import backup, restore
from .certificates import certificates
from .dhcp_servers import dhcp_servers
from .mail import send_test_mail
from .maintenance import maintenance
from .measuring import measuring_limits
from .qos_profiles import qos_profiles
from .starting import check, start

app = typer.Typer(
    help="The management server: API, nodes' channel, and background work in one process."
)
app.callback(invoke_without_command=True)(start)
app.command()(check)
app.command("create-admin")(create_admin)
app.command("set-password")(set_password)
app.command("delete-second-factors")(delete_second_factors)
app.command()(backup)
app.command()(restore)
app.command("audit")(show_audit)
app.command("test-mail")(send_test_mail)
app.command("merge-allocations")(merge_allocations)
app.command("measuring-limits")(measuring_limits)
app.add_typer(tokens, name="token")
app.add_typer(qos_profiles, name="qos-profile")
app.add_typer(dhcp_servers, name="dhcp-server")
app.add_typer(certificates, name="certificate")
app.add_typer(maintenance, name="maintenance")
