"""Handlers of other domains' facts, each calling one service of governance; there are none yet."""
