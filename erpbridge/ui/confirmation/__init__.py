"""Confirmation before irreversible actions, and the response to a repeated click."""
