"""Facts that the openclaw domain publishes for other domains; it has none yet."""
