// The AI SDK with its providers for OpenAI-compatible servers and for OpenAI, which asks the Responses API:
// tests/api/clients.rs runs it with the URL of a box that answers greedily.

import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";

const baseURL = `${process.argv[2]}/v1`;
const box = createOpenAICompatible({ name: "solverbox", baseURL, apiKey: "a pupil's", includeUsage: true });
const asked = { model: box("solverbox:math"), prompt: "What is 348 + 577?", maxRetries: 0 };

const whole = await generateText(asked);
assert.match(whole.text, /925/);
assert.ok(whole.reasoningText);
assert.equal(whole.finishReason, "stop");
assert.ok(whole.usage.outputTokens > 0);

// Streams a question, which must be answered as it was before.
async function streamed(question) {
  const stream = streamText(question);
  let [thinking, text] = ["", ""];
  for await (const part of stream.fullStream) {
    if (part.type === "reasoning-delta") thinking += part.text;
    if (part.type === "text-delta") text += part.text;
  }
  assert.equal(text.trim(), whole.text.trim());
  assert.equal(thinking.trim(), whole.reasoningText.trim());
  assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);
}
await streamed(asked);

// This provider sends `reasoning` only to models that it takes for thinking ones.
const openai = { reasoningSummary: "auto", forceReasoning: true };
const model = createOpenAI({ baseURL, apiKey: "a pupil's" })("solverbox:math");
const responding = { model, prompt: asked.prompt, maxRetries: 0, providerOptions: { openai } };
assert.equal((await generateText(responding)).reasoningText, whole.reasoningText);
await streamed(responding);

// Providers turn the fields of `providerOptions` into fields of the request.
const options = { providerOptions: { solverbox: { attempts: 4 } } };
assert.match((await generateText({ ...asked, ...options })).text, /925/);

const messages = [
  { role: "user", content: "2+2?" },
  { role: "assistant", content: "4" },
  { role: "user", content: "2+3?" },
];
const cut = await generateText({ ...asked, prompt: undefined, messages, maxOutputTokens: 2 });
assert.equal(cut.finishReason, "length");

// It says that a text completion has no tools, which is so.
globalThis.AI_SDK_LOG_WARNINGS = false;
const inline = await generateText({ ...asked, model: box.completionModel("solverbox:math") });
assert.match(inline.text, /925/);

await assert.rejects(generateText({ ...asked, model: box("solverbox:chess") }), { statusCode: 404 });

console.log("all good");
