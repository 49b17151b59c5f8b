"""Errors of the plugins domain, each with the title of its problem as docstring; it has none yet."""
