"""Keys of devices, gateways and the site's authority: in files, never in a log, a journal or an error."""
