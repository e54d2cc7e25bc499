"""The cycle on the wall clock: what is known, what is decided, what is done, all of it journalled."""
