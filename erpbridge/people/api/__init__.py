"""REST resources of the kernel: the caller, companies, projects and users."""
