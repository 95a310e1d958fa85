import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const client = new Client({ name: "my-agent", version: "1.0.0" });
await client.connect(new StdioClientTransport({ command: "hailuo-mcp" }));
const call = { name: "generate_video", arguments: { prompt: "A red kite over the bay", max_cost_usd: 0.5 } };
const { content } = await client.callTool(call);
console.log(content[0].text);
await client.close();
