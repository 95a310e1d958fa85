"""What everything else is built on: errors, settings, callers, jobs and parameter specs. Nothing here sends, stores or
knows MCP.
"""
