"""Facts that the plugins domain publishes for other domains; it has none yet."""
