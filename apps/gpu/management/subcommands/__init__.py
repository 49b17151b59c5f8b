"""The verbs of `manage.py gpu`, a module per group."""
