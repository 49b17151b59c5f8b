"""Receipts of slices of bookings, pseudonyms of miners, openings of commitments; random ids of accounts.

Accounts from before keep their ids, which entries of the log name and which therefore cannot change: docs/ledger.md.
Receipts from before keep the miner's id in their body, and have no opening.
"""

import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0006_escrow_guards'),
    ]

    operations = [
        migrations.AddField(
            model_name='receipt',
            name='booking_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='receipt',
            name='miner_alias',
            field=models.CharField(blank=True, db_index=True, max_length=40),
        ),
        migrations.AddField(
            model_name='receipt',
            name='opening',
            field=models.JSONField(help_text='Opens the hashes in the body; shown to the owner only.', null=True),
        ),
        migrations.AddField(
            model_name='receipt',
            name='slice',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='ledgeraccount',
            name='id',
            field=models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
        ),
        migrations.AlterField(
            model_name='receipt',
            name='job_id',
            field=models.UUIDField(null=True, unique=True),
        ),
        migrations.AlterField(
            model_name='receipt',
            name='miner_id',
            field=models.UUIDField(db_index=True, help_text='Not in the body.', null=True),
        ),
        migrations.AlterField(
            model_name='receipt',
            name='owner_id',
            field=models.UUIDField(db_index=True, help_text='The client or renter; not in the body.'),
        ),
        migrations.AddConstraint(
            model_name='receipt',
            constraint=models.UniqueConstraint(fields=('booking_id', 'slice'), name='trading_receipt_once_a_slice'),
        ),
        migrations.AddConstraint(
            model_name='receipt',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('booking_id', None), ('job_id__isnull', False), ('slice', None)), models.Q(('booking_id__isnull', False), ('job_id', None), ('slice__isnull', False)), _connector='OR'), name='trading_receipt_of_job_or_slice'),
        ),
    ]
