"""What the database itself enforces about money, whatever program speaks to it."""

from django.db import migrations

from aitbc.core.migration_operations import append_only, no_truncate

# A resolution must name a pending transfer between the same accounts and may not exceed it.
APPLY = """
CREATE FUNCTION trading_apply_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM fresh f LEFT JOIN trading_transfer p ON p.id = f.pending_id
    WHERE f.pending_id IS NOT NULL AND (
      p.phase IS DISTINCT FROM 'pending' OR p.debit_id <> f.debit_id OR p.credit_id <> f.credit_id
      OR f.amount > p.amount OR (f.phase = 'void' AND f.amount <> p.amount))
  ) THEN
    RAISE EXCEPTION 'a resolution does not fit its hold'
      USING ERRCODE = '23514', CONSTRAINT = 'trading_transfer_resolution_fits', TABLE = 'trading_transfer';
  END IF;

  WITH sides AS (
    SELECT f.debit_id, f.credit_id,
           CASE WHEN f.phase IN ('single', 'post') THEN f.amount ELSE 0 END AS posted,
           CASE f.phase WHEN 'pending' THEN f.amount WHEN 'single' THEN 0 ELSE -p.amount END AS pending
    FROM fresh f LEFT JOIN trading_transfer p ON p.id = f.pending_id
  ), moves AS (
    SELECT id, sum(pd) pd, sum(pc) pc, sum(nd) nd, sum(nc) nc FROM (
      SELECT debit_id AS id, posted AS pd, 0 AS pc, pending AS nd, 0 AS nc FROM sides
      UNION ALL
      SELECT credit_id, 0, posted, 0, pending FROM sides
    ) s GROUP BY id
  )
  UPDATE trading_ledgeraccount a
  SET posted_debits = a.posted_debits + m.pd, posted_credits = a.posted_credits + m.pc,
      pending_debits = a.pending_debits + m.nd, pending_credits = a.pending_credits + m.nc
  FROM moves m WHERE a.id = m.id;
  RETURN NULL;
END $$;
CREATE TRIGGER trading_transfer_apply AFTER INSERT ON trading_transfer
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION trading_apply_transfers();
"""

# Depth 2 is the trigger above; anything shallower is somebody editing a balance by hand.
GUARD = """
CREATE FUNCTION trading_guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF (NEW.posted_debits, NEW.posted_credits, NEW.pending_debits, NEW.pending_credits) <> (0, 0, 0, 0) THEN
      RAISE EXCEPTION 'an account is opened empty' USING ERRCODE = '23001';
    END IF;
  ELSIF pg_trigger_depth() < 2 OR (NEW.id, NEW.owner_id, NEW.kind, NEW.shard, NEW.may_owe)
      <> (OLD.id, OLD.owner_id, OLD.kind, OLD.shard, OLD.may_owe) THEN
    RAISE EXCEPTION 'balances are changed by transfers only' USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_ledgeraccount_guard BEFORE INSERT OR UPDATE ON trading_ledgeraccount
  FOR EACH ROW EXECUTE FUNCTION trading_guard_account();
"""

# Any way out of a final state is refused, and so is a payment that changes hands or size.
PAYMENT = """
CREATE FUNCTION trading_guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'held' OR NEW.state NOT IN ('held', 'settled', 'refunded')
     OR (NEW.job_id, NEW.owner_id, NEW.amount, NEW.fee_bp) <> (OLD.job_id, OLD.owner_id, OLD.amount, OLD.fee_bp)
     OR NEW.hold_id IS DISTINCT FROM OLD.hold_id THEN
    RAISE EXCEPTION 'a payment that is % does not change so', OLD.state USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_payment_guard BEFORE UPDATE ON trading_payment
  FOR EACH ROW EXECUTE FUNCTION trading_guard_payment();
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial")]

    operations = [
        migrations.RunSQL(APPLY, "DROP TRIGGER trading_transfer_apply ON trading_transfer; DROP FUNCTION trading_apply_transfers"),
        migrations.RunSQL(GUARD, "DROP TRIGGER trading_ledgeraccount_guard ON trading_ledgeraccount; DROP FUNCTION trading_guard_account"),
        migrations.RunSQL(PAYMENT, "DROP TRIGGER trading_payment_guard ON trading_payment; DROP FUNCTION trading_guard_payment"),
        append_only("trading_transfer"),
        append_only("trading_balancesnapshot"),
        append_only("trading_paymentevent"),
        no_truncate("trading_ledgeraccount"),
        no_truncate("trading_payment"),
    ]
