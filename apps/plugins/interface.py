"""Questions that other domains may ask plugins: reads only, answered at once; there are none yet."""
