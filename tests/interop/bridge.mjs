// A client of the TypeScript SDK for the tests: connects to the server over stdio, then reads one call per line
// from stdin and prints what the SDK returned. Usage: node bridge.mjs PACKAGE VARIABLES-AS-JSON COMMAND [ARGUMENT...]
import { createInterface } from "node:readline";

const [from, variables, command, ...args] = process.argv.slice(2);
// Version 1 of the SDK names its files, version 2 its entry points.
const [clientModule, stdioModule] = from.endsWith("/sdk/client")
  ? [`${from}/index.js`, `${from}/stdio.js`]
  : [from, `${from}/stdio`];
const { Client } = await import(clientModule);
const { StdioClientTransport } = await import(stdioModule);

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const client = new Client({ name: "hailuo-mcp-interop", version: "0" });
await client.connect(new StdioClientTransport({ command, args, env: JSON.parse(variables), stderr: "ignore" }));
// Listing gives the client the output schemas; from here on it validates every result against them.
const { tools } = await client.listTools();
answer({ tools });

for await (const line of createInterface({ input: process.stdin })) {
  try {
    answer({ result: await client.callTool(JSON.parse(line)) });
  } catch (error) {
    answer({ thrown: `${error.name}: ${error.message}` });
  }
}
await client.close();
