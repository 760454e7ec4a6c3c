"""What hedged shows over HTTP: what fires, figures for Prometheus, and whether it lives."""
