"""Accept, reject, retry and resolve items: the actions of accounting approvers."""
