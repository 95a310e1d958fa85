import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";

const client = await createMCPClient({ transport: new StdioTransport({ command: "hailuo-mcp" }) });
const tools = await client.tools(); // for generateText({ model, tools, prompt })
const call = { toolCallId: "1", messages: [] };
const result = await tools.generate_video.execute({ prompt: "A red kite over the bay", max_cost_usd: 0.5 }, call);
console.log(result.content[0].text);
await client.close();
