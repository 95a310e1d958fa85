// mcp-use: its client, and the tools as its agents get them.
import { MCPClient } from "mcp-use";
import { LangChainAdapter } from "mcp-use/adapters";
import { args, command, converse, env } from "./driver.mjs";

const client = new MCPClient({ mcpServers: { hailuo: { command, args, env } } });
const session = await client.createSession("hailuo");
const tools = await new LangChainAdapter().createToolsFromConnectors([session.connector]);

async function call(name, given) {
  return tools.find((tool) => tool.name === name).invoke(given);
}

await converse(call, tools.map((tool) => tool.name));
await client.closeAllSessions();
process.exit(0);
