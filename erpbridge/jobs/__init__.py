"""Work that takes longer than a request: a row per job, done in chunks by whichever worker."""
