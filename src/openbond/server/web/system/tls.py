"""The certificate of the web server: what it says, what is wrong with it, how to change it."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from openbond.server.control.tls_facts import certificate_facts, request_facts
from openbond.server.system.selectors import current_settings
from openbond.server.web.page import Page

# What each warning of the API (08-system 4) means, and what to do.
WARNINGS = {
    "self_signed": "It vouches for itself alone. Use one of an authority that browsers know.",
    "untrusted": "No public authority vouches for it: browsers warn, until its authority was "
    "added to them. Nodes trust this server's own authority, and need no other.",
    "not_yet_valid": "It is not valid yet. See whether the clock of this machine is right.",
    "expired": "It is over: browsers and nodes refuse it. Put in a new one now.",
    "expires_soon": "It ends within 30 days. One of this server's own authority renews itself; "
    "of another authority, ask for a new one.",
    "name_mismatch": "It is not good for the name in the setting server_hostname, {hostname}, "
    "where nodes reach this server.",
}
GRAVE = frozenset({"expired", "not_yet_valid"})


class Tls(Page):
    code = "view_systemstatus"

    def get(self, request: HttpRequest) -> HttpResponse:
        directory, hostname = settings.STATE_DIR / "tls", current_settings().server_hostname
        facts = certificate_facts(directory, hostname=hostname, now=self.now)
        warned = facts.warnings if facts else []
        context = {
            "facts": facts,
            "days_left": facts and (facts.not_after - self.now).days,
            "state": "down" if GRAVE & set(warned) else "unhealthy" if warned else "up",
            "warnings": [
                (WARNINGS[name].format(hostname=hostname), name in GRAVE) for name in warned
            ],
            "wanted": request_facts(directory),
            "hostname": hostname,
        }
        return self.render("web/system/tls.html", context)


class SigningRequest(Page):
    """The request for another certificate, as a file."""

    code = "view_systemstatus"

    def get(self, request: HttpRequest) -> HttpResponse:
        wanted = request_facts(settings.STATE_DIR / "tls")
        if wanted is None:
            raise Http404
        headers = {"Content-Disposition": 'attachment; filename="server.csr"'}
        return HttpResponse(wanted.pem, content_type="application/pkcs10", headers=headers)
