import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    # Apart from 0003: PostgreSQL does not alter a table with rows changed in the same transaction.
    dependencies = [("bonds", "0003_leg_space")]

    operations = [
        migrations.AlterField(
            model_name="leg",
            name="space",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="legs",
                to="spaces.space",
            ),
        ),
        migrations.AddIndex(
            model_name="leg",
            index=models.Index(
                fields=["space", "type", "link_mode"], name="bonds_leg_space_i_0d32b6_idx"
            ),
        ),
    ]
