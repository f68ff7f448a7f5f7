// LangChain in JavaScript against a running box: tests/api/clients.rs runs it with the box's URL.

import assert from "node:assert/strict";
import { ChatOpenAI } from "@langchain/openai";

const configuration = { baseURL: `${process.argv[2]}/v1` };
const fields = { model: "solverbox:math", temperature: 0, apiKey: "a pupil's", maxRetries: 0, configuration };
const question = "What is 348 + 577?";

for (const useResponsesApi of [false, true]) {
  const box = new ChatOpenAI({ ...fields, useResponsesApi });
  const answer = await box.invoke(question);
  assert.match(answer.text, /925/);
  assert.ok(answer.usage_metadata.output_token_details.reasoning > 0);
  let [text, chunks] = ["", 0];
  for await (const chunk of await box.stream(question)) {
    text += chunk.text;
    chunks += 1;
  }
  assert.equal(text.trim(), answer.text);
  assert.ok(chunks > 3, "it came in pieces");
  const further = await box.invoke([["user", question], answer, ["user", "What is 12 + 30?"]]);
  assert.ok(further.text);
}

const sums = [[111, 205], [211, 205]];
const answers = await new ChatOpenAI(fields).batch(sums.map(([a, b]) => `What is ${a} + ${b}?`));
assert.deepEqual(answers.map(({ text }) => /boxed\{(\d+)\}/.exec(text)[1]), ["316", "416"]);

console.log("all good");
