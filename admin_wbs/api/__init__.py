"""REST resources of cost codes, cost types, segments and their items."""
