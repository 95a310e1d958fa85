"""Fuzz tests of the HTTP server: requests that no well-behaved client sends."""
