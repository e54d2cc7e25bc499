"""Composition root and command line: the only room that knows both adapters and sim."""
