"""What everything else is built on: errors, settings, callers, jobs and parameter specs. Nothing here sends requests,
stores anything or knows MCP.
"""
