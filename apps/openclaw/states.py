"""States and transition tables of the openclaw domain; it has none yet."""
