"""What hedged shows over HTTP: figures for Prometheus, and whether it lives."""
