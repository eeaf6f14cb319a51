"""What servers tell the people who run them: counts for Prometheus, a log in JSON, and which models answer."""
