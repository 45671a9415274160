"""Send and retrieve records: the actions of project admins."""
