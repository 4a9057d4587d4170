"""The only layer that knows HTTP: the REST application, its client and the command line."""
