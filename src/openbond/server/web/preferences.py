"""What somebody chooses for his own eyes: colours, and the space that lists show."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View

from openbond.server.api.in_process import opened
from openbond.server.api.v3.spaces import Spaces

from .context import THEME_COOKIE, THEMES
from .page import Page
from .visit import SPACE_KEY

YEAR_SECONDS = 31_536_000
MOST_SHOWN = 100


class ThemeChoice(View):
    """Light, dark, or as the system says; kept by the browser."""

    def post(self, request: HttpRequest) -> HttpResponse:
        response = HttpResponseRedirect(back_to(request))
        chosen = request.POST.get("theme", "")
        if chosen in THEMES:
            response.set_cookie(
                THEME_COOKIE, chosen, max_age=YEAR_SECONDS, secure=True, samesite="Lax"
            )
        else:
            response.delete_cookie(THEME_COOKIE, samesite="Lax")
        return response


class SwitchSpace(Page):
    """Chooses which space lists and counts show, with all below it; kept in the session."""

    def get(self, request: HttpRequest) -> HttpResponse:
        spaces = opened(Spaces, self.viewer)
        search = {"search": request.GET.get("search", "")}
        found = spaces.listing.narrow(spaces.rows(), _query(search), spaces.derived)
        rows = list(found.order_by("level", "name", "id")[: MOST_SHOWN + 1])
        context = {
            "spaces": rows[:MOST_SHOWN],
            "more": len(rows) > MOST_SHOWN,
            "next": back_to(request),
            **search,
        }
        return self.render("web/switch_space.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = request.POST.get("space", "")
        space = opened(Spaces, self.viewer).find(int(chosen) if chosen.isdecimal() else 0)
        if space.pk == self.viewer.user.space_id:
            request.session.pop(SPACE_KEY, None)
        else:
            request.session[SPACE_KEY] = space.pk
        return HttpResponseRedirect(back_to(request))


def back_to(request: HttpRequest) -> str:
    """Return the page of this site that `next` names, else the dashboard."""
    named = request.POST.get("next") or request.GET.get("next") or "/"
    is_ours = url_has_allowed_host_and_scheme(
        named, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return named if is_ours else "/"


def _query(words: dict[str, str]) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update(words)
    return query
