"""The system tree: status, versions, backups, tasks and reference lists (08-system.md, 1 to 8)."""

from importlib.metadata import version

from django.conf import settings
from django.http import FileResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api import lists, values
from openbond.server.api.arrays import Array, Shown
from openbond.server.api.negotiation import JSON
from openbond.server.api.schema import TEXTS
from openbond.server.api.view import Door
from openbond.server.control.tls_facts import CertificateFacts, certificate_facts, request_facts
from openbond.server.fleet.selectors import (
    aggregator_checks_visible_to,
    config_update_counts,
    is_failover_suspended,
)
from openbond.server.system import images, mobile_operators, repositories, tasks, versions
from openbond.server.system.backups import kept_backups
from openbond.server.system.rules import timezone_names

from .indexes import Index

STATUS_CODE = {"retrieve": "view_systemstatus"}
LIST_CODE = {"list_all": "view_systemstatus"}
# Node reports move a row to `applied`; version 3 of the API calls that `completed`.
SHOWN_STATUS = {"applied": "completed"}


class System(Index):
    """System resources."""

    path = "system/"
    names = ["status", "tasks", "versions", "timezones", "mobilebroadbandproviderapns", "isos"]


class SystemStatus(Index):
    """Status resources."""

    path = "system/status/"
    names = [
        "configupdates",
        "downtime_prevented",
        "bondingversion",
        "repositories",
        "tlsinfo",
        "aggfailover",
        "backups",
    ]


class SystemTasks(Index):
    """Tasks that may be queued."""

    path = "system/tasks/"
    names = ["createisos"]


class ConfigUpdates(Door):
    """How many nodes in reach must still learn something."""

    codes = STATUS_CODE

    def retrieve(self, request: Request, **path: object) -> Response:
        counts = config_update_counts(self.viewer)
        by_status = {
            SHOWN_STATUS.get(name, name): count for name, count in counts.by_status.items()
        }
        return Response({"count": counts.count, "failures": counts.failures, "status": by_status})


class BondingVersion(Door):
    """The newest node software that the repository offers."""

    codes = STATUS_CODE

    def retrieve(self, request: Request, **path: object) -> Response:
        return Response({"version": repositories.newest_version(settings.STATE_DIR)})


class Repositories(Array):
    """What the software repository holds, by channel."""

    codes = LIST_CODE
    ordering = ("name",)

    def elements(self) -> list[Shown]:
        return [
            {"name": channel.name, "versions": channel.versions}
            for channel in repositories.channels(settings.STATE_DIR)
        ]


class Versions(Door):
    """Versions of the server's own parts."""

    codes = STATUS_CODE

    def retrieve(self, request: Request, **path: object) -> Response:
        found = versions.installed_versions()
        return Response({"server": version("openbond"), **found})


class TlsInfo(Door):
    """The certificate of the web server, and the request for another."""

    codes = STATUS_CODE

    def retrieve(self, request: Request, **path: object) -> Response:
        directory = settings.STATE_DIR / "tls"
        hostname = self.settings_row.server_hostname
        facts = certificate_facts(directory, hostname=hostname, now=self.now)
        wanted = request_facts(directory)
        return Response(
            {
                "certificate": facts and _certificate(facts),
                "csr": wanted and {"pem": wanted.pem, **wanted.subject},
            }
        )


class AggregatorFailover(Door):
    """What the checks of aggregators found."""

    codes = STATUS_CODE

    def retrieve(self, request: Request, **path: object) -> Response:
        checks = aggregator_checks_visible_to(self.viewer)
        started = [check.since for check in checks if check.since is not None]
        return Response(
            {
                "success": sum(check.success for check in checks),
                "failure": sum(check.failure for check in checks),
                "since": values.time_or_null(min(started, default=None)),
                "suspended": is_failover_suspended(self.settings_row),
                "aggregators": [
                    {
                        "aggregator": self.links.to("aggregators", check.aggregator_id),
                        "name": check.name,
                        "success": check.success,
                        "failure": check.failure,
                        "failed": check.failed,
                        "last_check": values.time_or_null(check.last_check),
                    }
                    for check in checks
                ],
            }
        )


class Backups(Array):
    """Stored backups, newest first."""

    codes = {"list_all": "view_backup"}
    root_only = frozenset({"list_all"})
    ordering = ("name", "size", "created")

    def elements(self) -> list[Shown]:
        return [
            {"name": backup.name, "size": backup.size, "created": values.time(backup.created)}
            for backup in kept_backups(settings.STATE_DIR)
        ]


class NoBackup(NotFound):
    default_code = "no_backup"
    default_detail = "No backup has been made yet."


class LatestBackup(Door):
    """The newest backup as a zip file; as secret as the server itself."""

    codes = {"retrieve": "view_backup"}
    root_only = frozenset({"retrieve"})

    def negotiate(self, request: Request) -> None:
        serve_file(self, request)

    def retrieve(self, request: Request, **path: object) -> HttpResponseBase:
        backups = kept_backups(settings.STATE_DIR)
        if not backups:
            raise NoBackup
        newest = backups[0]
        return FileResponse(
            newest.path.open("rb"),
            as_attachment=True,
            filename=newest.name,
            content_type="application/zip",
        )


class CreateIsos(Door):
    """Rebuild the provisioning ISO files."""

    codes = {"createisos": "run_systemtask"}
    root_only = frozenset({"createisos"})

    def createisos(self, request: Request, **path: object) -> Response:
        task_id = tasks.queue_iso_creation(by=self.viewer, now=self.now)
        return self.queued("ISO creation queued.", task_id=task_id)


class Isos(Array):
    """Provisioning ISO files, by profile."""

    codes = LIST_CODE
    ordering = ("name", "url", "size", "created", "profile")

    def elements(self) -> list[Shown]:
        site = self.links.root.removesuffix("/api/v3/")
        return [
            {
                "name": image.name,
                "url": f"{site}/isos/{image.name}",
                "size": image.size,
                "created": values.time(image.created),
                "profile": image.profile,
            }
            for image in images.built_images(settings.STATE_DIR)
        ]


class IsoDownload(Door):
    """One image, at the address that the list tells; it stands outside the API."""

    codes = STATUS_CODE

    def negotiate(self, request: Request) -> None:
        serve_file(self, request)

    def retrieve(self, request: Request, **path: object) -> HttpResponseBase:
        images_there = images.built_images(settings.STATE_DIR)
        found = [image for image in images_there if image.name == self.kwargs["name"]]
        if not found:
            raise NotFound
        return FileResponse(
            found[0].path.open("rb"), as_attachment=True, content_type="application/octet-stream"
        )


class Timezones(Door):
    """Names of time zones."""

    answers = TEXTS

    def retrieve(self, request: Request, **path: object) -> Response:
        return Response(sorted(timezone_names()))


class MobileBroadbandProviderApns(Array):
    """Known mobile operators of the world and their APNs, to copy from."""

    codes = {"list_all": "view_mobileproviderprofile"}
    filters = {
        "country": lists.text("country"),
        "provider": lists.text("provider"),
        "apn": lists.text("apn"),
    }
    search = ("provider", "apn", "country")
    ordering = ("country", "provider", "apn")

    def elements(self) -> list[Shown]:
        return mobile_operators.access_points()


def serve_file(view: Door, request: Request) -> None:
    """Take any `Accept`: the file is what it is; errors are JSON as ever."""
    request.accepted_renderer = view.get_renderers()[0]
    request.accepted_media_type = JSON


def _certificate(facts: CertificateFacts) -> Shown:
    return {
        "common_name": facts.common_name,
        "subject_alternative_names": facts.subject_alternative_names,
        "issuer": facts.issuer,
        "serial_number": facts.serial_number,
        "not_before": values.time(facts.not_before),
        "not_after": values.time(facts.not_after),
        "fingerprints": {"sha1": facts.sha1, "sha256": facts.sha256},
        "warnings": facts.warnings,
    }
