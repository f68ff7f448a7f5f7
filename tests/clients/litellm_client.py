"""LiteLLM against a running box: tests/api/clients.rs runs it with the URL in `make client-trials`."""

import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # a list of prices, which it otherwise downloads
import litellm

box = {"api_base": f"{sys.argv[1]}/v1", "api_key": "a pupil's", "num_retries": 0, "timeout": 120}
asked = {"model": "openai/solverbox:math", "temperature": 0, **box}
messages = [{"role": "user", "content": "What is 348 + 577?"}]

whole = litellm.completion(messages=messages, **asked)
message = whole.choices[0].message
assert "925" in message.content and message.reasoning_content, whole
assert whole.choices[0].finish_reason == "stop" and whole.usage.completion_tokens > 0, whole

stream = litellm.completion(messages=messages, stream=True, **asked)
deltas = [chunk.choices[0].delta for chunk in stream]
assert "".join(delta.content or "" for delta in deltas).strip() == message.content, deltas
thinking = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
assert thinking.strip() == message.reasoning_content, deltas

response = litellm.responses(input="What is 348 + 577?", **asked)
reasoning, answer = response.output
assert response.status == "completed" and "925" in answer.content[0].text, response
kinds = [event.type for event in litellm.responses(input="2+2?", stream=True, **asked)]
assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds

plain = {**asked, "model": "text-completion-openai/solverbox:math"}
text = litellm.text_completion(prompt="What is 348 + 577?", **plain)
assert "925" in text.choices[0].text, text

try:
    litellm.completion(messages=messages, **{**asked, "model": "openai/solverbox:chess"})
except litellm.NotFoundError as error:
    assert error.status_code == 404, error
else:
    raise AssertionError("an unknown mode was answered")

print("all good")
