"""Trees of codes and segment items."""
