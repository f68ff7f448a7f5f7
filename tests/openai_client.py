"""The official OpenAI client against a running box: tests/openai.rs runs it with the base URL."""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none is needed", max_retries=0, timeout=120)
question = [{"role": "user", "content": "What is 2+2?"}]

whole = client.chat.completions.create(model="solverbox:plain", messages=question, temperature=0)
answer = whole.choices[0].message.content
assert answer, whole
assert whole.choices[0].finish_reason == "stop"
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens

pieces, thoughts, usage, reasons = [], [], None, []
stream = client.chat.completions.create(
    model="solverbox:plain", messages=question, temperature=0, stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    usage = chunk.usage or usage
    for choice in chunk.choices:
        pieces.append(choice.delta.content or "")
        thoughts.append(getattr(choice.delta, "reasoning_content", None) or "")
        reasons.append(choice.finish_reason)
assert "".join(pieces) == answer, (pieces, answer)
assert len([p for p in thoughts + pieces if p]) > 3, "it came in pieces"
assert reasons[-1] == "stop" and usage == whole.usage, (reasons, usage)

# Leaving a stream early stops its job: the next question is answered at once.
stream = client.chat.completions.create(
    model="solverbox:plain", messages=question, stream=True, max_tokens=8000,
    extra_body={"ignore_eos": True},
)
next(iter(stream))
stream.close()
assert client.chat.completions.create(
    model="gpt-4o", messages=question, max_tokens=2
).choices[0].finish_reason == "length"

review = client.chat.completions.create(
    model="solverbox:review", messages=question, max_tokens=2,
    extra_body={"attempt_of_student": "It is 5."},
)
assert review.model == "solverbox:review"

assert "solverbox:math" in [model.id for model in client.models.list()]

for kind, change in [
    (openai.NotFoundError, {"model": "solverbox:chess"}),
    (openai.BadRequestError, {"temperature": 99}),
    (openai.BadRequestError, {"tools": [{"type": "function", "function": {"name": "f"}}]}),
]:
    try:
        client.chat.completions.create(**{"model": "solverbox", "messages": question, **change})
    except kind as error:
        assert error.body["message"], error
    else:
        raise AssertionError(f"{change} was accepted")

print("all good")
