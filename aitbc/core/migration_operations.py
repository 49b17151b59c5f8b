"""Operations for migrations: guards of tables that only grow and of final states, storage parameters of queues."""

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

KEEP_FINAL = """
CREATE OR REPLACE FUNCTION aitbc_keep_final_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is final: it does not become % in %', OLD.state, NEW.state, TG_TABLE_NAME USING ERRCODE = '23001';
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


def changed_once(table: str, at: str, *beside: str) -> migrations.RunSQL:
    """Let one UPDATE of each row of an append_only table pass: the one that sets `at`, with the columns beside it."""
    rest = "".join(f" - '{column}'" for column in (at, *beside))
    guard = f"""DROP TRIGGER {table}_no_change ON "{table}";
CREATE TRIGGER {table}_no_change BEFORE UPDATE ON "{table}" FOR EACH ROW
  WHEN (OLD.{at} IS NOT NULL OR NEW.{at} IS NULL OR to_jsonb(OLD){rest} IS DISTINCT FROM to_jsonb(NEW){rest})
  EXECUTE FUNCTION aitbc_refuse_change();
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON "{table}" FOR EACH ROW EXECUTE FUNCTION aitbc_refuse_change();"""
    undo = f"""DROP TRIGGER {table}_no_delete ON "{table}"; DROP TRIGGER {table}_no_change ON "{table}";
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON "{table}"
  FOR EACH ROW EXECUTE FUNCTION aitbc_refuse_change();"""
    return migrations.RunSQL(guard, undo)


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


def tuned_queue(table: str) -> migrations.RunSQL:
    """Vacuum often and without pause; analyse rarely, since a plan made while the queue is empty is a bad plan.

    vacuum_truncate is off because giving pages back takes an exclusive lock while the table is in use.
    """
    return migrations.RunSQL(
        f"""ALTER TABLE {table} SET (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
  vacuum_truncate = off)""",
        migrations.RunSQL.noop,
    )


def guarded_finals(table: str, *finals: str) -> migrations.RunSQL:
    """Refuse any UPDATE that takes a row of this table out of one of these states, which are its final ones."""
    states = ", ".join(f"'{state}'" for state in finals)
    return migrations.RunSQL(
        f"""{KEEP_FINAL}
CREATE TRIGGER {table}_final BEFORE UPDATE OF state ON "{table}"
  FOR EACH ROW WHEN (OLD.state IN ({states}) AND NEW.state IS DISTINCT FROM OLD.state)
  EXECUTE FUNCTION aitbc_keep_final_state();""",
        f'DROP TRIGGER {table}_final ON "{table}";',
    )
