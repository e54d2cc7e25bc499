"""Job lists from files: what a cluster's users submitted, and when. Import from the modules: reading needs polars."""
