"""Cost types, and which code takes which."""
