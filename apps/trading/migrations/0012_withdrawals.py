"""Withdrawals; what one is for never changes, and one that has ended changes no more."""

import aitbc.core.fields
import aitbc.core.ids
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models

from aitbc.core.migration_operations import append_only, no_truncate

GUARD = """
CREATE FUNCTION trading_guard_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state IN ('paid', 'rejected', 'cancelled', 'expired')
     OR (NEW.owner_id, NEW.amount, NEW.destination, NEW.hold_id, NEW.two_person)
     IS DISTINCT FROM (OLD.owner_id, OLD.amount, OLD.destination, OLD.hold_id, OLD.two_person) THEN
    RAISE EXCEPTION 'a withdrawal that is % does not change so', OLD.state USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_withdrawal_guard BEFORE UPDATE ON trading_withdrawal
  FOR EACH ROW EXECUTE FUNCTION trading_guard_withdrawal();
"""
DROP = "DROP TRIGGER trading_withdrawal_guard ON trading_withdrawal; DROP FUNCTION trading_guard_withdrawal;"


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0011_reversals'),
    ]

    operations = [
        migrations.AlterField(
            model_name='transfer',
            name='code',
            field=models.CharField(choices=[('deposit', 'Deposit'), ('hold', 'Hold'), ('capture', 'Capture'), ('release', 'Release'), ('payout', 'Payout'), ('fee', 'Fee'), ('reversal', 'Reversal'), ('fund', "into a booking's escrow"), ('accrue', "a slice of a booking's use"), ('return', "the rest of a booking's escrow"), ('bond', 'pledged'), ('compensate', 'from a bond to who was let down'), ('withdrawal', 'out of the exchange')], max_length=16),
        ),
        migrations.CreateModel(
            name='Withdrawal',
            fields=[
                ('version', models.IntegerField(default=0, editable=False)),
                ('id', models.UUIDField(default=aitbc.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('owner_id', models.UUIDField()),
                ('state', models.CharField(choices=[('requested', 'Requested'), ('proposed', 'approved by the first operator of two'), ('approved', 'Approved'), ('paid', 'Paid'), ('rejected', 'Rejected'), ('cancelled', 'Cancelled'), ('expired', 'Expired')], default='requested', max_length=10)),
                ('amount', aitbc.core.fields.AmountField(default=0)),
                ('destination', models.CharField(help_text="Where the money is to go, in the owner's words.", max_length=200)),
                ('hold_id', models.UUIDField(help_text='The pending transfer that sets it aside.')),
                ('two_person', models.BooleanField(help_text='Two operators decide: it was above the parameter when requested.')),
                ('proposed_by', models.UUIDField(help_text='The user who approved first of two.', null=True)),
                ('approved_by', models.UUIDField(help_text='The user who approved, where one is known.', null=True)),
                ('external_reference', models.CharField(blank=True, help_text='The payment outside.', max_length=200)),
                ('decision', models.CharField(blank=True, help_text='Why it ended without being paid.', max_length=300)),
                ('due_at', models.DateTimeField(help_text='It expires then, unless it is approved.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['owner_id', 'id'], name='trading_withdrawal_owner'), models.Index(condition=models.Q(('state__in', ['requested', 'proposed'])), fields=['due_at'], name='trading_withdrawal_due')],
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
        migrations.RunSQL(GUARD, DROP),
        no_truncate("trading_withdrawal"),
        append_only("trading_withdrawalevent"),
    ]
