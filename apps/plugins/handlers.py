"""Handlers of other domains' facts, each calling one service of plugins; there are none yet."""
