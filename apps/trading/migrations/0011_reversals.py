"""Reversals; what one is for never changes, and one that has ended changes no more."""

import aitbc.core.ids
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models

from aitbc.core.migration_operations import append_only, no_truncate

GUARD = """
CREATE FUNCTION trading_guard_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'proposed' OR (NEW.transfer_id, NEW.reversal_id, NEW.two_person, NEW.proposed_by, NEW.reason)
     IS DISTINCT FROM (OLD.transfer_id, OLD.reversal_id, OLD.two_person, OLD.proposed_by, OLD.reason) THEN
    RAISE EXCEPTION 'a reversal that is % does not change so', OLD.state USING ERRCODE = '23001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trading_reversal_guard BEFORE UPDATE ON trading_reversal
  FOR EACH ROW EXECUTE FUNCTION trading_guard_reversal();
"""
DROP = "DROP TRIGGER trading_reversal_guard ON trading_reversal; DROP FUNCTION trading_guard_reversal;"


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0010_bond_refs'),
    ]

    operations = [
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
            name='Reversal',
            fields=[
                ('version', models.IntegerField(default=0, editable=False)),
                ('id', models.UUIDField(default=aitbc.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('reversal_id', models.UUIDField(help_text='The id of the new transfer, which exists once this is posted.')),
                ('state', models.CharField(choices=[('proposed', 'waits for the second operator'), ('posted', 'Posted'), ('rejected', 'Rejected'), ('expired', 'Expired')], default='proposed', max_length=10)),
                ('two_person', models.BooleanField(help_text='Two operators decide: the amount was above the parameter.')),
                ('proposed_by', models.UUIDField(help_text='The user who decided first, where one is known.', null=True)),
                ('approved_by', models.UUIDField(help_text='The second user, where two decide.', null=True)),
                ('reason', models.CharField(max_length=500)),
                ('due_at', models.DateTimeField(help_text='A proposal expires then.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('ended_at', models.DateTimeField(null=True)),
                ('transfer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='trading.transfer')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'proposed')), fields=['due_at'], name='trading_reversal_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['proposed', 'posted', 'rejected', 'expired'])), name='trading_reversal_state_known'), models.UniqueConstraint(condition=models.Q(('state__in', ['proposed', 'posted'])), fields=('transfer',), name='trading_reversal_once'), models.CheckConstraint(condition=models.Q(('two_person', False), models.Q(('state', 'posted'), _negated=True), models.Q(('approved_by__isnull', False), ('proposed_by__isnull', False), models.Q(('proposed_by', models.F('approved_by')), _negated=True)), _connector='OR'), name='trading_reversal_two_decide')],
            },
        ),
        migrations.RunSQL(GUARD, DROP),
        no_truncate("trading_reversal"),
        append_only("trading_reversalevent"),
    ]
