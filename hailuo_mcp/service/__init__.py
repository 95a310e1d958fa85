"""The use cases: submit a job, ask about it, save its clip, for one caller or for a batch. Nothing here knows MCP, HTTP
servers or the command line.
"""
