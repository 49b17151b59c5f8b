"""Escrows and bonds that have ended change no more, as payments do; what a held one is for never changes."""

from django.db import migrations

GUARDS = """
CREATE FUNCTION trading_guard_escrow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'held' OR (NEW.booking_id, NEW.renter_id, NEW.provider_id, NEW.fee_bp)
     <> (OLD.booking_id, OLD.renter_id, OLD.provider_id, OLD.fee_bp) THEN
    RAISE EXCEPTION 'an escrow that is % does not change so', OLD.state USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_escrow_guard BEFORE UPDATE ON trading_escrow
  FOR EACH ROW EXECUTE FUNCTION trading_guard_escrow();
CREATE FUNCTION trading_guard_bond() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'held' OR (NEW.owner_id, NEW.amount, NEW.hold_id) IS DISTINCT FROM (OLD.owner_id, OLD.amount, OLD.hold_id)
  THEN
    RAISE EXCEPTION 'a bond that is % does not change so', OLD.state USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_bond_guard BEFORE UPDATE ON trading_bond
  FOR EACH ROW EXECUTE FUNCTION trading_guard_bond();
"""
DROP = """
DROP TRIGGER trading_escrow_guard ON trading_escrow; DROP FUNCTION trading_guard_escrow;
DROP TRIGGER trading_bond_guard ON trading_bond; DROP FUNCTION trading_guard_bond;
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0007_private_receipts")]

    operations = [migrations.RunSQL(GUARDS, DROP)]
