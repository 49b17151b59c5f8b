"""The verbs of `manage.py market`, a module per group."""
