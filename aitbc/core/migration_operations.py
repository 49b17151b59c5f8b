"""Database guards for tables that only ever grow."""

from __future__ import annotations

from django.db import migrations

REFUSE = """
CREATE OR REPLACE FUNCTION aitbc_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' AND current_setting('aitbc.testing', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '23001';
END $$;
"""


def append_only(table: str) -> migrations.RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE on a table (TRUNCATE is let through for the test suite's own databases)."""
    return migrations.RunSQL(
        f"""{REFUSE}
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON "{table}"
  FOR EACH ROW EXECUTE FUNCTION aitbc_refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON "{table}"
  FOR EACH STATEMENT EXECUTE FUNCTION aitbc_refuse_change();""",
        f'DROP TRIGGER {table}_no_change ON "{table}"; DROP TRIGGER {table}_no_truncate ON "{table}";',
    )


def no_truncate(table: str) -> migrations.RunSQL:
    """Refuse DELETE and TRUNCATE on a table whose rows may be updated."""
    return migrations.RunSQL(
        f"""{REFUSE}
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON "{table}"
  FOR EACH ROW EXECUTE FUNCTION aitbc_refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON "{table}"
  FOR EACH STATEMENT EXECUTE FUNCTION aitbc_refuse_change();""",
        f'DROP TRIGGER {table}_no_delete ON "{table}"; DROP TRIGGER {table}_no_truncate ON "{table}";',
    )
