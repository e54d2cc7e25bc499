"""The real doors: recorded feeds, site files, stores."""
