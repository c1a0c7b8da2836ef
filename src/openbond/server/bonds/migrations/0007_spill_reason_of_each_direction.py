from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('bonds', '0006_dhcp_lease'),
    ]

    operations = [
        # What both ends wrote into one column belongs to neither; nodes say it anew at once.
        migrations.RemoveField(model_name='legreport', name='spill_reason'),
        migrations.AddField(
            model_name='legreport',
            name='up_spill_reason',
            field=models.CharField(blank=True, default='', max_length=64),
        ),
        migrations.AddField(
            model_name='legreport',
            name='down_spill_reason',
            field=models.CharField(blank=True, default='', max_length=64),
        ),
    ]
