"""The fast path to AI work: an agent on each node stops and continues processes, and its client at the site."""
