"""The program that the host starts: the stdio server from the wheel beside this file."""

from hailuo_mcp.cli import main

main()
