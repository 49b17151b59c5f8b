"""Questions that other domains may ask governance: reads only, answered at once; there are none yet."""
