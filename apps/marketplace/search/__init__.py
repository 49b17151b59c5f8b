"""Searching offers: a small grammar, a table of fields, SQL made from both, and an oracle that needs no database."""
