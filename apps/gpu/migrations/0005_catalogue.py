"""The catalogue of card models is there from the start; running miners are judged from the next full hour on."""

from django.db import migrations

from apps.gpu.services.catalogue import rows


def load(apps, editor):
    profiles = apps.get_model("gpu", "ConsumerGPUProfile").objects.using(editor.connection.alias)
    for row in rows():
        profiles.get_or_create(model=row["model"], defaults=row)


class Migration(migrations.Migration):
    dependencies = [("gpu", "0004_registry_guards")]

    operations = [
        migrations.RunPython(load, migrations.RunPython.noop),
        migrations.RunSQL(
            "UPDATE gpu_miner SET judged_until = date_trunc('hour', now()) + interval '1 hour' WHERE judged_until IS NULL",
            migrations.RunSQL.noop,
        ),
    ]
