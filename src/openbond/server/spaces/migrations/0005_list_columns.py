from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("spaces", "0004_session_salt"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="list_columns",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
