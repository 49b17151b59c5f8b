"""Whether a lease's claim of bad input was right; those from before claims were checked count as right."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gpu", "0009_total_order")]

    operations = [
        migrations.AddField(
            model_name="lease",
            name="claim_upheld",
            field=models.BooleanField(help_text="Its claim of bad input was right; empty while open.", null=True),
        ),
        migrations.RunSQL(
            "UPDATE gpu_lease SET claim_upheld = true WHERE state = 'failed' AND code = 'BAD_INPUT'",
            migrations.RunSQL.noop,
        ),
    ]
