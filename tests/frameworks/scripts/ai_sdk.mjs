// Vercel's AI SDK: generateText, with a function in the model's place.
import assert from "node:assert";
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as Stdio } from "@ai-sdk/mcp/mcp-stdio";
import { generateText, stepCountIs } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { args, command, converse, env } from "./driver.mjs";

const client = await createMCPClient({ transport: new Stdio({ command, args, env, stderr: "ignore" }) });
const tools = await client.tools();
const answer = (content, finishReason) => ({
  content: [content],
  finishReason: { unified: finishReason },
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
  warnings: [],
});

async function call(toolName, given) {
  let read;
  const model = new MockLanguageModelV3({
    doGenerate: async ({ prompt }) => {
      const last = prompt.at(-1);
      if (last.role !== "tool") {
        return answer({ type: "tool-call", toolCallId: "1", toolName, input: JSON.stringify(given) }, "tool-calls");
      }
      read = text(last.content[0].output);
      return answer({ type: "text", text: "done" }, "stop");
    },
  });
  await generateText({ model, tools, prompt: "go", stopWhen: stepCountIs(2) });
  return read;
}

function text({ type, value }) {
  if (type !== "content") return typeof value === "string" ? value : JSON.stringify(value);
  assert(value.every((part) => part.type === "text"));
  return value.map((part) => part.text).join("\n");
}

await converse(call, Object.keys(tools));
await client.close();
