"""Bonds from CSV: upload, preview with what is wrong in which line, then all or nothing."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse

from openbond.server.errors import Forbidden
from openbond.server.system.secrets import seal, unseal
from openbond.server.web.objects.importing import (
    COLUMNS,
    EXAMPLE,
    MOST_BYTES,
    MOST_LINES,
    TOO_LARGE,
    Fault,
    Plan,
    decoded,
    made,
    plan_of,
    tried,
)

from .base import SheetPage, may_make

NO_FILE = "Choose a file."
BROKEN = "The preview is out of date. Choose the file again."


class ImportPage(SheetPage):
    """Makes many bonds with their legs at once."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        self._check()
        return self.show()

    def post(self, request: Any, **path: object) -> HttpResponse:
        self._check()
        text = self._text()
        if isinstance(text, Fault):
            return self.show(faults=[text])
        plan = plan_of(text)
        if plan.faults:
            return self.show(plan, faults=plan.faults)
        is_final = "apply" in request.POST
        ask = made if is_final else tried
        faults = ask(plan, self.viewer, space=self._space())
        if faults:
            return self.show(plan, faults=faults)
        if not is_final:
            return self.show(plan, sealed=seal(text))
        self.say(f"{len(plan.bonds)} bonds with {plan.count_of_legs} legs were made.")
        return self.go(self.list_url())

    def show(
        self, plan: Plan | None = None, *, faults: list[Fault] | None = None, sealed: str = ""
    ) -> HttpResponse:
        context = {
            "page": self,
            "sheet": self.sheet,
            "title": "Import bonds",
            "plan": plan,
            "faults": faults or [],
            "sealed": sealed,
            "columns": COLUMNS,
            "example": EXAMPLE,
            "most_kib": MOST_BYTES // 1024,
            "most_lines": MOST_LINES,
            "back": self.list_url(),
            "crumbs": self.crumbs((self.sheet.title, self.list_url())),
        }
        return self.render("web/objects/import.html", context, status=400 if faults else 200)

    def _text(self) -> str | Fault:
        """Return what the file says; of the second step, what the first has sealed."""
        sealed = self.request.POST.get("sealed", "")
        if sealed:
            try:
                return unseal(sealed)
            except InvalidToken:
                return Fault(0, "", BROKEN)
        sent = self.request.FILES.get("file")
        if not isinstance(sent, UploadedFile):
            return Fault(0, "", NO_FILE)
        if sent.size is None or sent.size > MOST_BYTES:
            return Fault(0, "", TOO_LARGE)
        return decoded(sent.read())

    def _space(self) -> str:
        return "" if self.space.pk == self.viewer.user.space_id else f"#{self.space.pk}"

    def _check(self) -> None:
        if not may_make(self.sheet, self.viewer):
            raise Forbidden
