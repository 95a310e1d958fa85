"""Serving MCP over HTTP: who may call, what is refused before it reaches MCP, and the other routes."""
