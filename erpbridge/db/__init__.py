"""Text, batches, locks and retries, alike on every database."""
