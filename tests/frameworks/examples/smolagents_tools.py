from mcp import StdioServerParameters
from smolagents import MCPClient

with MCPClient(StdioServerParameters(command="hailuo-mcp"), structured_output=False) as tools:
    generate_video = next(tool for tool in tools if tool.name == "generate_video")  # for CodeAgent(tools=tools)
    print(generate_video(prompt="A red kite over the bay", max_cost_usd=0.5))
