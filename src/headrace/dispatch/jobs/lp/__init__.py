"""The reference linear programme of a site with batch jobs: the core's rows and columns, and the jobs'."""
