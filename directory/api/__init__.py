"""REST resources of the Directory; the API calls companies vendors."""
