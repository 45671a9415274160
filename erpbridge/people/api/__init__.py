"""REST resources of the kernel: the caller, accounts (companies), projects."""
