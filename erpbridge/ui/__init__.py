"""What all pages share: components, navigation, lists, error pages, logs."""
