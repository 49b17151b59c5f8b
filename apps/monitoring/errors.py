"""Errors of the monitoring domain."""
