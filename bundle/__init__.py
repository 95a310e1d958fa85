"""The bundle for Claude Desktop: what it says of itself, how it is built, and what stands in it.

    uv run python -m bundle.build

`icon.png` is `hailuo_mcp/mcp/player/icon.svg` drawn at 512 x 512: hosts take no other format here.
"""
