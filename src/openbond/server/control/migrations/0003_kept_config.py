from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('control', '0002_periodic_run'),
    ]

    operations = [
        migrations.AddField(
            model_name='publishedconfig',
            name='kept_revision',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='publishedconfig',
            name='kept_content',
            field=models.BinaryField(default=b''),
        ),
    ]
