"""Facts that the governance domain publishes for other domains; it has none yet."""
