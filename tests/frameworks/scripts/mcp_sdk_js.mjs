// The TypeScript SDK's client.
import assert from "node:assert";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { args, command, converse, env } from "./driver.mjs";

const client = new Client({ name: "agent", version: "1" });
await client.connect(new StdioClientTransport({ command, args, env, stderr: "ignore" }));
const { tools } = await client.listTools();

async function call(name, given) {
  const { content } = await client.callTool({ name, arguments: given });
  assert(content.every((part) => part.type === "text"));
  return content.map((part) => part.text).join("\n");
}

await converse(call, tools.map((tool) => tool.name));
await client.close();
