"""Withdrawals and reversals; what has ended changes no more, as payments do."""

import aitbc.core.fields
import aitbc.core.ids
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models

from aitbc.core.migration_operations import append_only, no_truncate

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
CREATE FUNCTION trading_guard_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state IN ('paid', 'rejected', 'cancelled', 'expired') AND NEW.state <> OLD.state
     OR (NEW.owner_id, NEW.amount, NEW.destination, NEW.hold_id, NEW.two_person)
     IS DISTINCT FROM (OLD.owner_id, OLD.amount, OLD.destination, OLD.hold_id, OLD.two_person) THEN
    RAISE EXCEPTION 'a withdrawal that is % does not change so', OLD.state USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_withdrawal_guard BEFORE UPDATE ON trading_withdrawal
  FOR EACH ROW EXECUTE FUNCTION trading_guard_withdrawal();
CREATE FUNCTION trading_guard_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'proposed' AND NEW.state <> OLD.state
     OR (NEW.transfer_id, NEW.reversal_id, NEW.two_person, NEW.reason)
     IS DISTINCT FROM (OLD.transfer_id, OLD.reversal_id, OLD.two_person, OLD.reason) THEN
    RAISE EXCEPTION 'a reversal that is % does not change so', OLD.state USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_reversal_guard BEFORE UPDATE ON trading_reversal
  FOR EACH ROW EXECUTE FUNCTION trading_guard_reversal();
"""
DROP = """
DROP TRIGGER trading_escrow_guard ON trading_escrow; DROP FUNCTION trading_guard_escrow;
DROP TRIGGER trading_bond_guard ON trading_bond; DROP FUNCTION trading_guard_bond;
DROP TRIGGER trading_withdrawal_guard ON trading_withdrawal; DROP FUNCTION trading_guard_withdrawal;
DROP TRIGGER trading_reversal_guard ON trading_reversal; DROP FUNCTION trading_guard_reversal;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0006_escrow_guards'),
    ]

    operations = [
        migrations.AlterField(
            model_name='transfer',
            name='code',
            field=models.CharField(choices=[('deposit', 'Deposit'), ('hold', 'Hold'), ('capture', 'Capture'), ('release', 'Release'), ('payout', 'Payout'), ('fee', 'Fee'), ('reversal', 'Reversal'), ('fund', "into a booking's escrow"), ('accrue', "a slice of a booking's use"), ('return', "the rest of a booking's escrow"), ('bond', 'pledged'), ('compensate', 'from a bond to who was let down'), ('withdrawal', 'out of the exchange')], max_length=16),
        ),
        migrations.CreateModel(
            name='ReversalEvent',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('subject_id', models.UUIDField()),
                ('seq', models.IntegerField()),
                ('from_state', models.CharField(blank=True, max_length=20)),
                ('to_state', models.CharField(max_length=20)),
                ('actor', models.CharField(max_length=120)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('detail', models.JSONField(default=dict)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['subject_id', 'seq'],
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('subject_id', 'seq'), name='trading_reversalevent_seq')],
            },
        ),
        migrations.CreateModel(
            name='Withdrawal',
            fields=[
                ('version', models.IntegerField(default=0, editable=False)),
                ('id', models.UUIDField(default=aitbc.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('owner_id', models.UUIDField()),
                ('state', models.CharField(choices=[('requested', 'Requested'), ('proposed', 'approved by one operator of two'), ('approved', 'Approved'), ('paid', 'Paid'), ('rejected', 'Rejected'), ('cancelled', 'Cancelled'), ('expired', 'Expired')], default='requested', max_length=10)),
                ('amount', aitbc.core.fields.AmountField(default=0)),
                ('destination', models.CharField(help_text="Where the money is to go, in the owner's words.", max_length=200)),
                ('hold_id', models.UUIDField(help_text='The pending transfer that sets it aside.')),
                ('two_person', models.BooleanField(help_text='Two operators decide: it was above the parameter when requested.')),
                ('proposed_by', models.UUIDField(help_text='The user who approved first of two.', null=True)),
                ('approved_by', models.UUIDField(help_text='The user who approved, where the operator is known as one.', null=True)),
                ('external_reference', models.CharField(blank=True, help_text='The payment outside.', max_length=200)),
                ('decision', models.CharField(blank=True, help_text='Why it ended without being paid.', max_length=500)),
                ('due_at', models.DateTimeField(help_text='It expires then, and the money is free again.')),
                ('copied', models.IntegerField(default=-1, editable=False, help_text='Last step in the log of privileged acts.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['owner_id', 'id'], name='trading_withdrawal_owner'), models.Index(condition=models.Q(('state__in', ['paid', 'rejected', 'cancelled', 'expired']), _negated=True), fields=['due_at'], name='trading_withdrawal_due'), models.Index(condition=models.Q(('copied__lt', models.F('version'))), fields=['id'], name='trading_withdrawal_copy')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['requested', 'proposed', 'approved', 'paid', 'rejected', 'cancelled', 'expired'])), name='trading_withdrawal_state_known'), models.CheckConstraint(condition=models.Q(('two_person', False), models.Q(('state__in', ['approved', 'paid']), _negated=True), models.Q(('approved_by__isnull', False), ('proposed_by__isnull', False), models.Q(('proposed_by', models.F('approved_by')), _negated=True)), _connector='OR'), name='trading_withdrawal_two_decide'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'paid'), _negated=True), models.Q(('external_reference', ''), _negated=True), _connector='OR'), name='trading_withdrawal_paid_somewhere'), models.UniqueConstraint(condition=models.Q(('external_reference', ''), _negated=True), fields=('external_reference',), name='trading_withdrawal_reference_once')],
            },
        ),
        migrations.CreateModel(
            name='WithdrawalEvent',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('subject_id', models.UUIDField()),
                ('seq', models.IntegerField()),
                ('from_state', models.CharField(blank=True, max_length=20)),
                ('to_state', models.CharField(max_length=20)),
                ('actor', models.CharField(max_length=120)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('detail', models.JSONField(default=dict)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['subject_id', 'seq'],
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('subject_id', 'seq'), name='trading_withdrawalevent_seq')],
            },
        ),
        migrations.CreateModel(
            name='Reversal',
            fields=[
                ('version', models.IntegerField(default=0, editable=False)),
                ('id', models.UUIDField(default=aitbc.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('reversal_id', models.UUIDField(help_text='The id of the new transfer, once it is posted.')),
                ('state', models.CharField(choices=[('proposed', 'waits for the second operator'), ('posted', 'Posted'), ('rejected', 'Rejected'), ('expired', 'Expired')], default='proposed', max_length=10)),
                ('two_person', models.BooleanField(help_text='Two operators decide: the amount is above the parameter.')),
                ('proposed_by', models.UUIDField(help_text='The user who proposed it, where the operator is known as one.', null=True)),
                ('approved_by', models.UUIDField(help_text='The second user, where two decide.', null=True)),
                ('reason', models.CharField(max_length=500)),
                ('due_at', models.DateTimeField(help_text='A proposal expires then.')),
                ('copied', models.IntegerField(default=-1, editable=False, help_text='Last step in the log of privileged acts.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('ended_at', models.DateTimeField(null=True)),
                ('transfer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='trading.transfer')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'proposed')), fields=['due_at'], name='trading_reversal_due'), models.Index(condition=models.Q(('copied__lt', models.F('version'))), fields=['id'], name='trading_reversal_copy')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['proposed', 'posted', 'rejected', 'expired'])), name='trading_reversal_state_known'), models.UniqueConstraint(condition=models.Q(('state__in', ['proposed', 'posted'])), fields=('transfer',), name='trading_reversal_once'), models.CheckConstraint(condition=models.Q(('two_person', False), models.Q(('state', 'posted'), _negated=True), models.Q(('approved_by__isnull', False), ('proposed_by__isnull', False), models.Q(('proposed_by', models.F('approved_by')), _negated=True)), _connector='OR'), name='trading_reversal_two_decide')],
            },
        ),
        migrations.RunSQL(GUARDS, DROP),
        no_truncate("trading_withdrawal"),
        no_truncate("trading_reversal"),
        append_only("trading_withdrawalevent"),
        append_only("trading_reversalevent"),
    ]
