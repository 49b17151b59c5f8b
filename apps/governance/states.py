"""States and transition tables of the governance domain; it has none yet."""
