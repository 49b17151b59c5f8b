"""What a dynamic price changed is written in AIT, as every other change of an offer."""

from django.db import migrations

from aitbc.core.migration_operations import corrected

IN_AIT = """UPDATE marketplace_offerrevision SET changes = jsonb_set(changes, '{price_gpu_hour}', (
  SELECT jsonb_agg((value::text::numeric / 1000000)::numeric(38, 6)::text ORDER BY place)
  FROM jsonb_array_elements(changes -> 'price_gpu_hour') WITH ORDINALITY AS pair (value, place)))
WHERE jsonb_typeof(changes -> 'price_gpu_hour' -> 0) = 'number'"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0005_registered_gpu")]

    operations = [corrected("marketplace_offerrevision", IN_AIT)]
