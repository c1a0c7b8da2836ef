"""Pages that make a QoS profile, and change its classes and filters: one write, or none."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from openbond.server.api.in_process import opened
from openbond.server.api.v3.qos_profiles import QosProfiles
from openbond.server.bonds.services import replace_qos_parts, update_qos_profile
from openbond.server.control.looked_at import differences
from openbond.server.errors import InvalidFields, SharedReadOnly
from openbond.server.qos.models import QosProfile
from openbond.server.qos.profile_files import described
from openbond.server.qos.rules import IP_VERSIONS, MAX_COPIES, PROTOCOLS
from openbond.server.qos.selectors import parts_of, qos_profiles_visible_to
from openbond.server.qos.services import create_qos_profile
from openbond.server.system.locks import locked
from openbond.server.web.objects.views.details import DetailPage
from openbond.server.web.page import Page

from .editor import Editor

IP_WORDS = {"any": "any", "4": "IPv4", "6": "IPv6"}
CHOICES = {
    "ip_versions": [(word, IP_WORDS[word]) for word in IP_VERSIONS],
    "protocols": [(word, word if word == "any" else word.upper()) for word in PROTOCOLS],
    "most_copies": MAX_COPIES,
}


class EditorPage(Page):
    """The form, its buttons that move rows about, and the one that saves."""

    def find(self, pk: int) -> QosProfile:
        """Raises Http404."""
        found = qos_profiles_visible_to(self.viewer).filter(pk=pk).first()
        if found is None:
            raise Http404
        return found

    def show(self, editor: Editor, **more: object) -> HttpResponse:
        context: Mapping[str, Any] = {"editor": editor, **CHOICES, **self.around(), **more}
        status = 400 if editor.is_faulty else 200
        return self.render("web/qos/editor.html", context, status=status)

    def around(self) -> dict[str, object]:
        raise NotImplementedError

    def write(self, editor: Editor) -> HttpResponse:
        raise NotImplementedError

    def post(self, request: HttpRequest, **path: int) -> HttpResponse:
        editor = Editor.sent(request.POST)
        asked = request.POST.get("do", "")
        return self.show(editor.done(asked)) if asked else self.write(editor)

    def gone(self, profile: QosProfile, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return HttpResponseRedirect(f"/qos/{profile.pk}/")


class NewProfile(EditorPage):
    """Begins with the classes and filters of an installation, or those of another profile."""

    code = "add_qosprofile"

    def get(self, request: HttpRequest) -> HttpResponse:
        other = request.GET.get("from", "")
        if not (other.isascii() and other.isdigit() and len(other) <= 18):
            return self.show(Editor.of())
        profile = self.find(int(other))
        margin = profile.overhead_margin_permille
        return self.show(Editor.of(*parts_of(profile), margin_permille=margin))

    def write(self, editor: Editor) -> HttpResponse:
        checked, classes, filters, margin = editor.specs()
        if checked.is_faulty:
            return self.show(checked)
        try:
            profile = create_qos_profile(
                by=self.viewer,
                name=editor.name,
                space=self.space,
                classes=classes,
                filters=filters,
                overhead_margin_permille=margin,
            )
        except InvalidFields as refusal:
            return self.show(checked.refused(refusal.fields))
        return self.gone(profile, f"{profile.name} was made.")

    def around(self) -> dict[str, object]:
        profiles = qos_profiles_visible_to(self.viewer).order_by("name")
        return {"profile": None, "back": "/qos/", "others": profiles[:50], "in_space": self.space}


class EditProfile(EditorPage):
    """Name, margin, classes and filters of a profile; bonds that use it follow at once."""

    code = "change_qosprofile"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.show(self._as_kept(self.profile()))

    def profile(self) -> QosProfile:
        """Raises Http404, SharedReadOnly."""
        found = self.find(self.kwargs["pk"])
        if not self.viewer.reaches(found.space_id):
            raise SharedReadOnly
        return found

    def write(self, editor: Editor) -> HttpResponse:
        profile = self.profile()
        checked, classes, filters, margin = editor.specs()
        if checked.is_faulty:
            return self.show(checked)
        try:
            with transaction.atomic():
                # As it is now, and stays until this is written: of two who save one is told.
                profile = locked(qos_profiles_visible_to(self.viewer), profile.pk)
                if editor.opened != profile.modified.isoformat():
                    mine = described(editor.name, margin, classes, filters)
                    return self._conflict(editor, profile, mine)
                update_qos_profile(
                    by=self.viewer,
                    profile=profile,
                    name=editor.name,
                    overhead_margin_permille=margin,
                )
                replace_qos_parts(by=self.viewer, profile=profile, classes=classes, filters=filters)
        except InvalidFields as refusal:
            return self.show(checked.refused(refusal.fields))
        return self.gone(profile, f"{editor.name} was changed.")

    def _conflict(self, editor: Editor, profile: QosProfile, mine: bytes) -> HttpResponse:
        """Show what somebody else made of it meanwhile; saving again is then a decision."""
        theirs = described(profile.name, profile.overhead_margin_permille, *parts_of(profile))
        lines = differences(theirs.decode(), mine.decode())
        context = {"editor": editor, **CHOICES, **self.around(), "theirs": lines}
        context["opened"] = profile.modified.isoformat()
        return self.render("web/qos/editor.html", context, status=412)

    def around(self) -> dict[str, object]:
        profile = self.profile()
        bonds = opened(QosProfiles, self.viewer).present(
            qos_profiles_visible_to(self.viewer).filter(pk=profile.pk)
        )[0]["bond_count"]
        return {"profile": profile, "back": f"/qos/{profile.pk}/", "bonds": bonds}

    def _as_kept(self, profile: QosProfile) -> Editor:
        return Editor.of(
            *parts_of(profile),
            name=profile.name,
            margin_permille=profile.overhead_margin_permille,
            opened=profile.modified.isoformat(),
        )


class ProfilePage(DetailPage):
    template = "web/qos/page.html"
