"""Questions that other domains may ask openclaw: reads only, answered at once; there are none yet."""
