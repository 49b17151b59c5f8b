"""Everything one machine needs to run the whole exchange, and the supervisor that runs it (`manage.py up`)."""
