from typing import Any

import pytest

from openbond.server.errors import InvalidFields
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry, Settings
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import update_settings

pytestmark = pytest.mark.django_db


def test_settings_never_written_are_the_defaults_of_the_contract() -> None:
    settings = current_settings()

    assert settings.failover_interval == 30
    assert settings.node_status_timeout == 180
    assert settings.tunnel_network == "240.0.0.0/8"
    assert settings.server_hostname


def test_a_change_keeps_the_other_settings_and_is_audited() -> None:
    update_settings(by=SERVER, backup_retention=14)
    update_settings(by=SERVER, email_recipients=["noc@example.net"])

    settings = current_settings()
    assert settings.backup_retention == 14
    assert settings.email_recipients == ["noc@example.net"]
    assert [entry.after for entry in AuditEntry.objects.all()] == [
        {"backup_retention": 14},
        {"email_recipients": ["noc@example.net"]},
    ]


def test_the_same_value_again_changes_and_audits_nothing() -> None:
    update_settings(by=SERVER, backup_retention=14)
    before = current_settings().modified

    update_settings(by=SERVER, backup_retention=14)

    assert current_settings().modified == before
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"failover_receive_timeout": 30}, "failover_receive_timeout"),
        ({"failover_interval": 5}, "failover_interval"),
        ({"failover_interval": 5, "failover_receive_timeout": 6}, "failover_receive_timeout"),
        ({"metric_reporting_interval": 10, "metric_collection_interval": 11}, "metric_reporting"),
        ({"metric_collection_interval": 61}, "metric_collection_interval"),
    ],
)
def test_values_that_do_not_fit_together_are_refused_on_the_field_sent(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidFields) as refusal:
        update_settings(by=SERVER, **changes)

    assert [name for name in refusal.value.fields if name.startswith(field)]
    assert len(refusal.value.fields) == 1


def test_the_mail_password_is_sealed_in_the_database_and_hidden_in_the_audit() -> None:
    update_settings(by=SERVER, email_password="hunter2hunter2")

    stored = Settings.objects.get()
    assert "hunter2" not in stored.sealed_email_password
    assert stored.email_password == "hunter2hunter2"
    entry = AuditEntry.objects.get()
    assert entry.after == {"email_password": "(secret)"}
