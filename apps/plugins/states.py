"""States and transition tables of the plugins domain; it has none yet."""
