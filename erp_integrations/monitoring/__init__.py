"""What operators watch: health, metrics, workers."""
