"""Tells operators that something needs them; the row is written with its cause (behaviour 6.8)."""

from datetime import datetime, timedelta

import structlog
from django.db.models import F

from .mail import MailText, queue_mail
from .models import Alert

ONE_ALERT_WITHIN = timedelta(hours=1)

log = structlog.get_logger(__name__)


def raise_alert(
    *, code: str, about: str, text: str, now: datetime, mail: MailText | None = None
) -> None:
    """Write an alert in the caller's transaction; an equal one of the last hour is counted up.

    It is mailed, too: `mail` where the text alone does not say enough.
    """
    said = mail or MailText(subject=f"{about}: {code.replace('_', ' ')}", what=text)
    queue_mail(code=code, about=about, text=said, now=now)
    equal = Alert.objects.filter(code=code, about=about, created__gt=now - ONE_ALERT_WITHIN)
    newest = equal.order_by("-id").values_list("pk", flat=True).first()
    if newest is not None:
        Alert.objects.filter(pk=newest).update(count=F("count") + 1, last=now, text=text)
        return
    Alert.objects.create(code=code, about=about, text=text, created=now, last=now)
    log.warning("alert", code=code, about=about, text=text)
