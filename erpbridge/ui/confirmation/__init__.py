"""Asking before what cannot be undone, and what a second click on it is told."""
