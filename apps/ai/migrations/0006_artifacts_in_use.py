"""Artifacts are in use by the rows that name them, and large results can be removed."""

from django.db import migrations, models

from aitbc.core.migration_operations import changed_once


class Migration(migrations.Migration):

    dependencies = [
        ('ai', '0005_final_states'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='artifact',
            name='ai_artifact_refs_counted',
        ),
        migrations.RemoveIndex(
            model_name='artifact',
            name='ai_artifact_unneeded',
        ),
        migrations.RemoveField(
            model_name='artifact',
            name='refs',
        ),
        migrations.AddField(
            model_name='aijobresult',
            name='removed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='aijobresult',
            name='removed_by',
            field=models.CharField(blank=True, choices=[('owner', 'Owner'), ('retention', 'Retention')], db_default='', default='', max_length=10),
        ),
        migrations.AddIndex(
            model_name='aijob',
            index=models.Index(condition=models.Q(('input_is_blob', True), ('state__in', ['submitted', 'queued', 'running', 'cancelling'])), fields=['owner_id', 'input_sha256'], name='ai_job_input'),
        ),
        migrations.AddIndex(
            model_name='aijobresult',
            index=models.Index(condition=models.Q(('is_blob', True), ('removed_at', None)), fields=['sha256'], name='ai_result_kept'),
        ),
        migrations.AddIndex(
            model_name='aijobresult',
            index=models.Index(condition=models.Q(('is_blob', True), ('removed_at', None)), fields=['created_at'], name='ai_result_kept_since'),
        ),
        migrations.AddIndex(
            model_name='artifact',
            index=models.Index(fields=['touched_at'], name='ai_artifact_touched'),
        ),
        migrations.AddIndex(
            model_name='artifact',
            index=models.Index(fields=['owner_id'], include=('size',), name='ai_artifact_sizes_of_owner'),
        ),
        migrations.AddConstraint(
            model_name='aijobresult',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('removed_at', None), ('removed_by', '')), models.Q(('is_blob', True), ('removed_at__isnull', False), models.Q(('removed_by', ''), _negated=True)), _connector='OR'), name='ai_result_removal'),
        ),
        changed_once("ai_job_result", "removed_at", "removed_by"),
    ]
