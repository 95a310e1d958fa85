"""MCP server for Hailuo (MiniMax) video generation."""
