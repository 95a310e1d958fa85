"""The program that the host starts: the stdio server from the wheel next to this file."""

from hailuo_mcp.cli import main

main()
