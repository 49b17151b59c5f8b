"""Handlers of other domains' facts, each calling one service of openclaw; there are none yet."""
