"""What the host starts: the stdio server of the wheel beside this file."""

from hailuo_mcp.cli import main

main()
