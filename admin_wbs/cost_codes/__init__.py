"""Lists of cost codes and their codes."""
