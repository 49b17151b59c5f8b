"""Admin pages of the marketplace, a module per aggregate."""
