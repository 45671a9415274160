"""The API of segments, their items and cost types."""
