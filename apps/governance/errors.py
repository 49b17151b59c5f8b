"""Errors of the governance domain, each with the title of its problem as docstring; it has none yet."""
