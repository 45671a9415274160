"""What every page shares: components, navigation, lists, request ids."""
