"""The official OpenAI client in Python against a running box: tests/api/clients.rs runs it with its URL."""

import sys

import openai
import requests

box = sys.argv[1]
client = openai.OpenAI(base_url=f"{box}/v1", api_key="a pupil's", max_retries=0, timeout=120)
question = [{"role": "user", "content": "What is 2+2?"}]


def ask(**fields):
    fields = {"model": "solverbox:plain", "messages": question, "temperature": 0, **fields}
    return client.chat.completions.create(**fields)


whole = ask()
answer = whole.choices[0].message.content
assert answer, whole
assert whole.choices[0].finish_reason == "stop"
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens

pieces, usage, reasons = [], None, []
for chunk in ask(stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    for choice in chunk.choices:
        pieces.append(choice.delta.content or "")
        reasons.append(choice.finish_reason)
assert "".join(pieces) == answer, (pieces, answer)
assert reasons[-1] == "stop" and usage == whole.usage, (reasons, usage)

# Thinking comes beside the answer, whole and streamed.
thinking = {"model": "solverbox:math"}
message = ask(**thinking).choices[0].message
assert message.content and message.reasoning_content, message
thoughts, pieces = [], []
for chunk in ask(stream=True, **thinking):
    for choice in chunk.choices:
        thoughts.append(getattr(choice.delta, "reasoning_content", None) or "")
        pieces.append(choice.delta.content or "")
assert "".join(thoughts).strip() == message.reasoning_content, (thoughts, message)
assert "".join(pieces).strip() == message.content, (pieces, message)
assert len([piece for piece in thoughts + pieces if piece]) > 1, "it came in pieces"

choices = ask(n=3, temperature=1.0, seed=3).choices
assert [choice.index for choice in choices] == [0, 1, 2], choices
assert all(choice.message.content for choice in choices), choices

# Leaving a stream early stops its job: the next question is answered at once.
stream = ask(stream=True, max_tokens=8000, extra_body={"ignore_eos": True})
next(iter(stream))
stream.close()
assert ask(model="gpt-4o", max_tokens=2).choices[0].finish_reason == "length"

# With `durable` the job goes on, and is found by the name that the first chunk brings.
stream = ask(stream=True, max_tokens=500, extra_body={"ignore_eos": True, "durable": True})
job = next(iter(stream)).model_extra["solverbox"]["job"]
stream.close()
mine = {"Authorization": f"Bearer {client.api_key}"}
listed = requests.get(f"{box}/api/jobs", headers=mine, timeout=120).json()["jobs"]
assert job in [one["id"] for one in listed], listed
events = requests.get(f"{box}/api/jobs/{job}/events", headers=mine, timeout=120)  # to the end
assert "event: done" in events.text, events.text
kept = requests.get(f"{box}/api/jobs/{job}", headers=mine, timeout=120).json()
assert kept["state"] == "done" and kept["figures"]["completion_tokens"] == 500, kept

review = ask(
    model="solverbox:review", max_tokens=2, extra_body={"attempt_of_student": "It is 5."}
)
assert review.model == "solverbox:review"

assert "solverbox:math" in [model.id for model in client.models.list()]

for kind, change, param in [
    (openai.NotFoundError, {"model": "solverbox:chess"}, None),
    (openai.BadRequestError, {"temperature": 99}, "temperature"),
    (openai.BadRequestError, {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
]:
    try:
        ask(**change)
    except kind as error:
        assert error.body["message"] and error.code and error.param == param, error.body
    else:
        raise AssertionError(f"{change} was accepted")

print("all good")
