"""Claims of bad input; those that were paid for before claims were checked stay upheld."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

EARLIER = """INSERT INTO ai_input_claim (job_id, attempt, miner_id, provider_id, metered_ms, message, fault, verdict, at)
SELECT id, attempt, miner_id, provider_id, billable_ms, left(error, 1000), 'not checked at that time', 'upheld',
  completed_at FROM ai_job WHERE state = 'failed' AND outcome = 'bad_input'"""


class Migration(migrations.Migration):
    dependencies = [("ai", "0006_artifacts_in_use")]

    operations = [
        migrations.CreateModel(
            name="InputClaim",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempt", models.SmallIntegerField()),
                ("miner_id", models.UUIDField()),
                ("provider_id", models.UUIDField()),
                ("metered_ms", models.BigIntegerField()),
                ("message", models.CharField(blank=True, max_length=1000)),
                (
                    "fault",
                    models.CharField(
                        blank=True, help_text="What the task type's schema says against the input.", max_length=300
                    ),
                ),
                (
                    "verdict",
                    models.CharField(
                        choices=[("open", "Open"), ("upheld", "Upheld"), ("refuted", "Refuted")],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="input_claims",
                        to="ai.aijob",
                    ),
                ),
            ],
            options={
                "verbose_name": "claim of bad input",
                "verbose_name_plural": "claims of bad input",
                "db_table": "ai_input_claim",
                "constraints": [
                    models.UniqueConstraint(fields=("job", "attempt"), name="ai_input_claim_once"),
                    models.CheckConstraint(
                        condition=models.Q(("verdict__in", ["open", "upheld", "refuted"])),
                        name="ai_input_claim_verdict_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(EARLIER, migrations.RunSQL.noop),
    ]
