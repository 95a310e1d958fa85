"""The bundle for Claude Desktop: its manifest, how it is built, and the files that it contains.

    uv run python -m bundle.build

`icon.png` is `hailuo_mcp/mcp/player/icon.svg` drawn at 512 x 512: hosts accept no other format here.
"""
