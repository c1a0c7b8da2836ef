"""The page at /: what hurts, first."""

from django.http import HttpRequest, HttpResponse

from openbond.server.web.page import Page


class Dashboard(Page):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render("web/dashboard.html")
