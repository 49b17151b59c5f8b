"""Help texts in plain words; no change of the database."""

import aitbc.core.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gpu", "0006_miner_commands"),
    ]

    operations = [
        migrations.AlterField(
            model_name="gpubenchmark",
            name="begun_at",
            field=models.DateTimeField(help_text="When the miner received the nonce: the clock starts.", null=True),
        ),
        migrations.AlterField(
            model_name="gpubenchmark",
            name="results",
            field=models.JSONField(default=dict, help_text="As the miner measured them."),
        ),
        migrations.AlterField(
            model_name="gpubenchmark",
            name="suite",
            field=models.CharField(
                help_text="Version of the suite: results of two versions are not compared.", max_length=20
            ),
        ),
        migrations.AlterField(
            model_name="gpubenchmark",
            name="task",
            field=models.JSONField(default=dict, help_text="Sizes, rounds and memory to fill."),
        ),
        migrations.AlterField(
            model_name="gpuregistry",
            name="announced",
            field=models.CharField(blank=True, help_text="SHA-256 of the last published fact.", max_length=64),
        ),
        migrations.AlterField(
            model_name="gpuregistry",
            name="latest",
            field=models.JSONField(default=dict, help_text="Metrics of its last heartbeat."),
        ),
        migrations.AlterField(
            model_name="gpuregistry",
            name="measured",
            field=models.JSONField(default=dict, help_text="Results of the last benchmark it passed."),
        ),
        migrations.AlterField(
            model_name="gpuregistry",
            name="price_per_hour",
            field=aitbc.core.fields.AmountField(
                default=None, help_text="micro-AIT; empty means its miner's price.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="gpuregistry",
            name="seq",
            field=models.BigIntegerField(
                default=0, help_text="Number of published facts: a later one has a larger seq."
            ),
        ),
        migrations.AlterField(
            model_name="gpuregistry",
            name="uuid",
            field=models.CharField(
                blank=True, help_text="As its driver reports it; empty from legacy clients.", max_length=80
            ),
        ),
        migrations.AlterField(
            model_name="lease",
            name="cancel_at",
            field=models.DateTimeField(help_text="The job was withdrawn; the next heartbeat stops it.", null=True),
        ),
        migrations.AlterField(
            model_name="miner",
            name="attention",
            field=models.IntegerField(default=0, help_text="Rises with each command and booking."),
        ),
        migrations.AlterField(
            model_name="miner",
            name="noted_at",
            field=models.DateTimeField(help_text="The minute of its last stored metrics.", null=True),
        ),
        migrations.AlterField(
            model_name="minercommand",
            name="body",
            field=models.JSONField(
                default=dict, help_text="Details; settings are within the limits that the card reports."
            ),
        ),
        migrations.AlterField(
            model_name="reservation",
            name="broken_at",
            field=models.DateTimeField(help_text="A card of it was lost; BookingBroken is published.", null=True),
        ),
        migrations.AlterField(
            model_name="reservation",
            name="ready_at",
            field=models.DateTimeField(help_text="The miner reported them ready.", null=True),
        ),
        migrations.AlterField(
            model_name="work",
            name="body",
            field=models.JSONField(help_text="What the miner receives: payload, constraints, task type, input."),
        ),
    ]
