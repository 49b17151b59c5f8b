from django.db import migrations


class Migration(migrations.Migration):
    """The model has the name of what it is; its table stays as it is."""

    dependencies = [("marketplace", "0004_guards")]

    operations = [
        migrations.AlterModelTable("device", "marketplace_device"),
        migrations.RenameModel("Device", "RegisteredGPU"),
        migrations.AlterModelOptions(
            "registeredgpu", options={"ordering": ["id"], "verbose_name": "registered GPU"}
        ),
    ]
