"""Orders to miners are called commands; the column of a benchmark's command keeps its name."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gpu", "0005_catalogue")]

    operations = [
        migrations.RenameModel(old_name="MinerOrder", new_name="MinerCommand"),
        migrations.RenameModel(old_name="OrderTransition", new_name="CommandTransition"),
        migrations.RemoveConstraint(model_name="commandtransition", name="gpu_ordertransition_seq"),
        migrations.AddConstraint(
            model_name="commandtransition",
            constraint=models.UniqueConstraint(fields=("subject_id", "seq"), name="gpu_commandtransition_seq"),
        ),
        migrations.AlterField(
            model_name="minercommand",
            name="miner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="commands", to="gpu.miner"
            ),
        ),
        migrations.AlterField(
            model_name="minercommand",
            name="gpu",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="commands", to="gpu.gpuregistry"
            ),
        ),
        migrations.AlterField(
            model_name="gpubenchmark",
            name="order",
            field=models.ForeignKey(
                db_column="order_id",
                help_text="The command by which its miner learns of it.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="benchmarks",
                to="gpu.minercommand",
            ),
        ),
        migrations.RenameField(model_name="gpubenchmark", old_name="order", new_name="command"),
    ]
