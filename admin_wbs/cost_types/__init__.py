"""Cost types, and the cost codes that use them."""
