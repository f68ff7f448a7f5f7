"""Time-outs and retries of the official OpenAI client in Python: tests/api/clients.rs runs it with the URL
of a box that takes one question of a client at a time."""

import sys

import openai

refused, held = [], None


def release(response):
    """Hears each response: once there was a refusal, the question that was in the way goes."""
    if response.status_code == 429:
        refused.append(response)
        held.close()


def client(**settings):
    return openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="a pupil's", **settings)


listening = openai.DefaultHttpxClient(event_hooks={"response": [release]})
hasty = client(max_retries=0, timeout=120)
patient = client(max_retries=5, timeout=120, http_client=listening)


def ask(of, tokens, **fields):
    """Asks for so many tokens; the box would need minutes for 30000."""
    return of.chat.completions.with_raw_response.create(
        model="solverbox:plain",
        messages=[{"role": "user", "content": "What is 2+2?"}],
        max_tokens=tokens,
        extra_body={"ignore_eos": True, **fields.pop("extra_body", {})},
        **fields,
    )


def hold(tokens):
    stream = ask(hasty, tokens, stream=True).parse()
    next(iter(stream))
    return stream


# The box learns how long a question takes here, which is what it says in Retry-After.
for _ in range(10):
    ask(hasty, 2)

# Who does not wait is told what is wrong; who waits is answered when there is room.
held = hold(1500)
try:
    ask(hasty, 2)
except openai.RateLimitError as error:
    assert error.code == "too_many" and error.type == "requests", error.body
    assert int(error.response.headers["retry-after"]) > 0, error.response.headers
else:
    raise AssertionError("two questions at once were taken")
answered = ask(patient, 2)
assert len(refused) == answered.retries_taken > 0, (refused, answered.retries_taken)

# Who gives up waiting stops its job, which else would be in the way for minutes.
try:
    ask(hasty.with_options(timeout=0.5), 30000)
except openai.APITimeoutError:
    pass
else:
    raise AssertionError("30000 tokens took half a second")
assert ask(patient, 2).parse().choices[0].finish_reason == "length"

# A durable question goes on, and asked again under the same key it is the same one.
kept = {"extra_body": {"durable": True}, "extra_headers": {"Idempotency-Key": "of-this-question"}}
try:
    ask(hasty.with_options(timeout=0.1), 1500, **kept)
except openai.APITimeoutError:
    pass
again = [ask(hasty, 1500, **kept).parse() for _ in range(2)]
assert again[0].usage.completion_tokens == 1500, again
assert again[0].model_extra == again[1].model_extra, again
assert again[0].choices == again[1].choices, again

print("all good")
