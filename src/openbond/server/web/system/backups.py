"""Backups: which there are, one more, their files, and how a server comes back from one."""

from datetime import timedelta
from importlib.metadata import version

from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from openbond.server.control.backup_task import is_backup_under_way, queue_backup
from openbond.server.control.upkeep import BACKUP_LATE
from openbond.server.system.backups import kept_backups
from openbond.server.system.selectors import current_settings
from openbond.server.web.page import Page

# As for the API's tasks of the system (api-v3 08-system 7).
MAKES = "run_systemtask"


class Backups(Page):
    """The backups that are kept, newest first; as secret as the server, so for the root alone."""

    code = "view_backup"
    root_only = True

    def get(self, request: HttpRequest) -> HttpResponse:
        found = kept_backups(settings.STATE_DIR)
        wanted = current_settings()
        context = {
            "backups": found,
            "is_late": not found or self.now - found[0].created > BACKUP_LATE,
            "is_under_way": is_backup_under_way(),
            "may_make": self.viewer.can(MAKES),
            "may_set": self.viewer.can("view_settings"),
            "kept_for": timedelta(days=wanted.backup_retention),
            "timezone": wanted.timezone,
            "hostname": wanted.server_hostname,
            "state": settings.STATE_DIR,
            "version": version("openbond"),
            "is_postgresql": connection.vendor == "postgresql",
        }
        return self.render("web/system/backups.html", context)


class MakeBackup(Page):
    """Has one made in the background, where it disturbs no page."""

    code = MAKES
    root_only = True
    http_method_names = ("post",)

    def post(self, request: HttpRequest) -> HttpResponse:
        queue_backup(by=self.viewer, now=self.now)
        messages.success(request, "A backup is being made. It is listed here when it is whole.")
        page = "backups" if self.viewer.can("view_backup") else "dashboard"
        return HttpResponseRedirect(reverse(page))


class BackupFile(Page):
    """One backup, by the name that the list tells."""

    code = "view_backup"
    root_only = True

    def get(self, request: HttpRequest, name: str) -> FileResponse:
        found = [one for one in kept_backups(settings.STATE_DIR) if one.name == name]
        if not found:
            raise Http404
        return FileResponse(
            found[0].path.open("rb"),
            as_attachment=True,
            filename=name,
            content_type="application/zip",
        )
