"""What the database itself enforces about the log, whatever program speaks to it."""

from django.db import migrations

from aitbc.core.migration_operations import append_only, no_truncate

# An entry may be given its place in the log, once; nothing else about it ever changes.
GUARD = """
CREATE FUNCTION trading_guard_logentry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.idx IS NOT NULL THEN
      RAISE EXCEPTION 'only the sequencer gives an entry its place' USING ERRCODE = '23001';
    END IF;
  ELSIF OLD.idx IS NOT NULL OR NEW.idx IS NULL
      OR (NEW.id, NEW.kind, NEW.leaf, NEW.leaf_hash, NEW.created_at)
         IS DISTINCT FROM (OLD.id, OLD.kind, OLD.leaf, OLD.leaf_hash, OLD.created_at) THEN
    RAISE EXCEPTION 'an entry of the log does not change' USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_logentry_guard BEFORE INSERT OR UPDATE ON trading_logentry
  FOR EACH ROW EXECUTE FUNCTION trading_guard_logentry();
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0003_receipts_log")]

    operations = [
        migrations.RunSQL(GUARD, "DROP TRIGGER trading_logentry_guard ON trading_logentry; DROP FUNCTION trading_guard_logentry"),
        no_truncate("trading_logentry"),
        append_only("trading_logtile"),
        append_only("trading_block"),
        append_only("trading_receipt"),
    ]
