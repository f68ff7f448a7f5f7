// The Responses API and text completions with the official OpenAI client in JavaScript: tests/api/clients.rs runs it
// with the box's URL.

import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "a pupil's", maxRetries: 0 });
const question = "What is 348 + 577?";
const asked = (fields) => ({ model: "solverbox:math", temperature: 0, ...fields });

const whole = await client.responses.create(asked({ input: question }));
const [reasoning, message] = whole.output;
assert.equal(whole.status, "completed");
assert.match(whole.output_text, /925/);
assert.ok(reasoning.content[0].text);
assert.equal(message.content[0].text, whole.output_text);

let [thinking, text, last] = ["", "", null];
for await (const event of await client.responses.create(asked({ input: question, stream: true }))) {
  if (event.type === "response.reasoning_text.delta") thinking += event.delta;
  if (event.type === "response.output_text.delta") text += event.delta;
  last = event;
}
assert.equal(last.type, "response.completed");
assert.deepEqual(last.response.usage, whole.usage);
assert.equal(thinking.trim(), reasoning.content[0].text);
assert.equal(text.trim(), whole.output_text);

// The client's own reader of streams puts the events together.
const final = await client.responses.stream(asked({ input: question })).finalResponse();
assert.equal(final.output_text.trim(), whole.output_text);

const input = [{ role: "user", content: question }, ...whole.output, { role: "user", content: "2+2?" }];
assert.equal((await client.responses.create(asked({ input }))).status, "completed");
const cut = await client.responses.create(asked({ input: question, max_output_tokens: 2 }));
assert.equal(cut.incomplete_details.reason, "max_output_tokens");
await assert.rejects(client.responses.create(asked({ input: question, background: true })), { param: "background" });

const answer = await client.completions.create(asked({ prompt: question }));
assert.match(answer.choices[0].text, /925/);
text = "";
for await (const chunk of await client.completions.create(asked({ prompt: question, stream: true }))) {
  text += chunk.choices[0]?.text ?? "";
}
assert.equal(text.trim(), answer.choices[0].text);

console.log("all good");
