"""Facts that monitoring publishes."""
