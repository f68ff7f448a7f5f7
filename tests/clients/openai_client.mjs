// The official OpenAI client in JavaScript against a running box: tests/api/clients.rs runs it with its URL.

import assert from "node:assert/strict";
import OpenAI from "openai";

const box = process.argv[2];
const client = new OpenAI({ baseURL: `${box}/v1`, apiKey: "a pupil's", maxRetries: 0 });
const messages = [{ role: "user", content: "What is 348 + 577?" }];
const ask = (fields, options) =>
  client.chat.completions.create({ model: "solverbox:math", messages, temperature: 0, ...fields }, options);

const whole = await ask({});
const { message, finish_reason: reason } = whole.choices[0];
assert.match(message.content, /925/);
assert.ok(message.reasoning_content);
assert.equal(reason, "stop");
assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);

let [content, thinking, chunks, usage] = ["", "", 0, null];
for await (const chunk of await ask({ stream: true, stream_options: { include_usage: true } })) {
  chunks += 1;
  usage = chunk.usage ?? usage;
  content += chunk.choices[0]?.delta.content ?? "";
  thinking += chunk.choices[0]?.delta.reasoning_content ?? "";
}
assert.equal(content.trim(), message.content);
assert.equal(thinking.trim(), message.reasoning_content);
assert.deepEqual(usage, whole.usage);
assert.ok(chunks > 4, "beginning, thinking, answer, end and usage came by themselves");

const several = await ask({ n: 3, temperature: 1, seed: 3 });
assert.deepEqual(several.choices.map((choice) => choice.index), [0, 1, 2]);

// Aborting a stream stops its job, which else would take minutes.
const endless = { stream: true, max_tokens: 30000, ignore_eos: true };
const stream = await ask(endless);
let job;
for await (const chunk of stream) {
  job ??= chunk.solverbox.job;
  if (chunk.choices[0].delta.reasoning_content) stream.controller.abort();
}
const standing = async () => {
  const headers = { Authorization: `Bearer ${client.apiKey}` };
  return (await (await fetch(`${box}/api/jobs/${job}`, { headers })).json()).state;
};
while (["queued", "running"].includes(await standing()));
assert.equal(await standing(), "stopped");

// So does giving up on a whole answer, and a signal of the caller's.
const tooLong = { ...endless, stream: false };
await assert.rejects(ask(tooLong, { timeout: 300 }), OpenAI.APIConnectionTimeoutError);
const signal = AbortSignal.timeout(300);
await assert.rejects(ask(tooLong, { signal }), OpenAI.APIUserAbortError);

const ids = [];
for await (const model of client.models.list()) ids.push(model.id);
assert.ok(ids.includes("solverbox:math"));

const refused = [
  [{ model: "solverbox:chess" }, OpenAI.NotFoundError, { status: 404, code: "not_found", param: null }],
  [{ temperature: 99 }, OpenAI.BadRequestError, { status: 400, code: "bad_request", param: "temperature" }],
  [{ messages: [] }, OpenAI.BadRequestError, { status: 400, code: "bad_request", param: "messages" }],
];
for (const [change, kind, { status, code, param }] of refused) {
  await assert.rejects(ask(change), (error) => {
    assert.ok(error instanceof kind, `${error}`);
    assert.deepEqual([error.status, error.code, error.param], [status, code, param]);
    assert.equal(error.type, "invalid_request_error");
    return error.error.message.length > 0;
  });
}

console.log("all good");
