import { MCPClient } from "mcp-use";

const client = new MCPClient({ mcpServers: { hailuo: { command: "hailuo-mcp", args: [] } } });
const session = await client.createSession("hailuo"); // an MCPAgent takes the client: new MCPAgent({ llm, client })
const call = { prompt: "A red kite over the bay", max_cost_usd: 0.5 };
const { content } = await session.callTool("generate_video", call);
console.log(content[0].text);
await client.closeAllSessions();
