"""The Directory: the companies of an account and of its projects."""
