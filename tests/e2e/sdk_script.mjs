// The official TypeScript SDK against the proxy at argv[2]: a stream, a tool over two turns, an error.
// Prints one JSON document for the test to look at.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.argv[2], authToken: process.argv[3], apiKey: null, maxRetries: 0 });
const ask = (text) => ({ model: "demo", max_tokens: 500, messages: [{ role: "user", content: text }] });
const textOf = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

async function stream() {
  const running = client.messages.stream(ask("count to 20"));
  let pieces = 0;
  running.on("text", () => pieces++);
  const message = await running.finalMessage();
  return { pieces, text: textOf(message), stop_reason: message.stop_reason, usage: message.usage };
}

async function tool() {
  const input_schema = { type: "object", properties: { command: { type: "string" } }, required: ["command"] };
  const request = { ...ask("run: uptime"), tools: [{ name: "shell", input_schema }] };
  const first = await client.messages.stream(request).finalMessage();
  const call = first.content.find((block) => block.type === "tool_use");
  request.messages.push({ role: "assistant", content: first.content });
  request.messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "up 3 days" }] });
  return { input: call.input, stop_reason: first.stop_reason, text: textOf(await client.messages.create(request)) };
}

async function error() {
  try {
    await client.messages.create({ ...ask("hi"), model: "nobody" });
  } catch (caught) {
    return { is_not_found: caught instanceof Anthropic.NotFoundError, status: caught.status, type: caught.error.error.type };
  }
}

async function models() {
  const ids = [];
  for await (const model of client.models.list({ limit: 2 })) ids.push(model.id);
  return ids;
}

console.log(JSON.stringify({ stream: await stream(), tool: await tool(), error: await error(), models: await models() }));
