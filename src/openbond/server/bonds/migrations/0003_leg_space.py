from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def take_space_of_bond(apps: Any, schema_editor: Any) -> None:
    Leg = apps.get_model("bonds", "Leg")
    Bond = apps.get_model("bonds", "Bond")
    own = Bond.objects.filter(pk=OuterRef("bond_id")).values("space_id")
    Leg.objects.update(space_id=Subquery(own))


class Migration(migrations.Migration):
    dependencies = [
        ("bonds", "0002_named_unique_constraints"),
        ("spaces", "0002_named_unique_constraints"),
    ]

    operations = [
        migrations.AddField(
            model_name="leg",
            name="space",
            field=models.ForeignKey(
                null=True,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="legs",
                to="spaces.space",
            ),
        ),
        migrations.RunPython(take_space_of_bond, migrations.RunPython.noop),
    ]
