"""The ceiling of what a job may cost per hour, and who set it."""

import aitbc.core.fields
from django.db import migrations, models

OF_CLIENTS = """UPDATE ai_job SET max_price = (requirement ->> 'max_price')::bigint, max_price_source = 'client'
WHERE requirement ->> 'max_price' IS NOT NULL"""


class Migration(migrations.Migration):

    dependencies = [
        ('ai', '0007_input_claims'),
    ]

    operations = [
        migrations.AddField(
            model_name='aijob',
            name='max_price',
            field=aitbc.core.fields.AmountField(default=None, null=True),
        ),
        migrations.AddField(
            model_name='aijob',
            name='max_price_source',
            field=models.CharField(blank=True, choices=[('client', 'Client'), ('market', 'Market')], db_default='', default='', max_length=10),
        ),
        migrations.RunSQL(OF_CLIENTS, migrations.RunSQL.noop),
    ]
