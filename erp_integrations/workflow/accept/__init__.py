"""Accept and reject: what an accounting approver does."""
