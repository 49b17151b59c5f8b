"""The migrations say what the models say."""

from __future__ import annotations

from django.core.management import call_command


def test_no_model_has_changed_without_a_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
