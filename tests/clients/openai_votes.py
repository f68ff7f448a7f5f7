"""Votes and choices with the official OpenAI client: tests/api/attempts.rs runs it with the base URL."""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="a pupil's", max_retries=0, timeout=120)
question = [{"role": "user", "content": "What is 2+2?"}]


def ask(**fields):
    return client.chat.completions.create(
        model="solverbox:math", messages=question, seed=3, temperature=1.0, **fields
    )


voted = ask(extra_body={"attempts": 4})
tally = voted.model_extra["solverbox"]
assert len(voted.choices) == 1 and tally["votes"][0]["value"] == "4", voted

streamed, last = "", None
for chunk in ask(stream=True, extra_body={"attempts": 4}):
    streamed += "".join(choice.delta.content or "" for choice in chunk.choices)
    last = chunk.model_extra.get("solverbox") or last
assert "4" in streamed and last["votes"][0]["value"] == "4", (streamed, last)

choices = ask(n=3).choices
assert [choice.index for choice in choices] == [0, 1, 2], choices
texts = ["", "", ""]
for chunk in ask(n=3, stream=True):
    for choice in chunk.choices:
        texts[choice.index] += choice.delta.content or ""
assert [text.strip() for text in texts] == [choice.message.content for choice in choices], texts

job = voted.model_extra["solverbox"]["job"]
further = ask(max_tokens=2, extra_body={"previous": job})
assert further.usage.prompt_tokens > voted.usage.prompt_tokens, further
stranger = openai.OpenAI(base_url=sys.argv[1], api_key="another's", max_retries=0, timeout=120)
try:
    stranger.chat.completions.create(
        model="solverbox", messages=question, extra_body={"previous": job}
    )
except openai.NotFoundError as error:
    assert "answered question" in error.body["message"], error
else:
    raise AssertionError("another's conversation was given away")

print("all good")
