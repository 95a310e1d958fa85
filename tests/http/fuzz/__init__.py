"""The HTTP server under what no honest client sends."""
