"""Django's PostgreSQL backend with a breaker in front of each database."""
