"""What a receipt's commitment to its job's input is made of.

Jobs from before get a salt too; for one with an artifact, its payload is hashed as PostgreSQL prints it.
"""

from django.db import migrations, models

import apps.ai.models.jobs

FILL = """
UPDATE ai_job SET salt = replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
  payload_sha256 = CASE WHEN input_is_blob AND payload IS NOT NULL
    THEN encode(sha256(convert_to(payload::text, 'UTF8')), 'hex') ELSE input_sha256 END
"""


class Migration(migrations.Migration):
    dependencies = [("ai", "0003_cancelling_jobs")]

    operations = [
        migrations.AddField("aijob", "salt", models.CharField(default="", editable=False, max_length=64)),
        migrations.AddField("aijob", "payload_sha256", models.CharField(default="", max_length=64), preserve_default=False),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField("aijob", "salt", models.CharField(default=apps.ai.models.jobs.new_salt, editable=False, max_length=64)),
    ]
