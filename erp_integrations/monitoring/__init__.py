"""Monitoring for operators: health, metrics and worker heartbeats."""
