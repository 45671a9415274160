"""Send and Retrieve: what a project admin does."""
