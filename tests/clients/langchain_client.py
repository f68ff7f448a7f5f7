"""LangChain's ChatOpenAI against a running box: tests/api/clients.rs runs it with the URL."""

import sys

import openai
from langchain_openai import ChatOpenAI

box = {"base_url": f"{sys.argv[1]}/v1", "api_key": "a pupil's", "max_retries": 0, "timeout": 120}
model = ChatOpenAI(model="solverbox:math", temperature=0, **box)

answer = model.invoke("What is 348 + 577?")
assert "925" in answer.content, answer
assert answer.response_metadata["finish_reason"] == "stop", answer
assert answer.usage_metadata["output_token_details"]["reasoning"] > 0, answer

chunks = list(model.stream("What is 348 + 577?"))
assert "".join(chunk.content for chunk in chunks).strip() == answer.content, chunks
assert len(chunks) > 3, "beginning, thinking, answer and end came by themselves"

# Each answer stands where its question stood.
sums = [(100 * i + 11, 205) for i in range(1, 9)]
answers = model.batch([f"What is {a} + {b}?" for a, b in sums])
assert len(answers) == 8
for (a, b), answer in zip(sums, answers):
    assert f"boxed{{{a + b}}}" in answer.content, (a, b, answer.content)

voted = ChatOpenAI(model="solverbox:math", temperature=0, extra_body={"attempts": 4}, **box)
assert "925" in voted.invoke("What is 348 + 577?").content

responding = ChatOpenAI(
    model="solverbox:math", temperature=0, use_responses_api=True, reasoning={"summary": "auto"}, **box
)
response = responding.invoke("What is 348 + 577?")
thinking, text = response.content_blocks
assert (thinking["type"], text["type"]) == ("reasoning", "text"), response
assert thinking["reasoning"] and "925" in text["text"] == response.text, response
chunks = list(responding.stream("What is 348 + 577?"))
assert "".join(chunk.text for chunk in chunks).strip() == response.text, chunks
thoughts = [block for chunk in chunks for block in chunk.content_blocks if block["type"] == "reasoning"]
assert "".join(block.get("reasoning", "") for block in thoughts).strip() == thinking["reasoning"], thoughts
further = responding.invoke([("user", "What is 348 + 577?"), response, ("user", "What is 12 + 30?")])
assert further.text and further.usage_metadata["output_token_details"]["reasoning"] > 0, further

conversation = [("system", "Be brief."), ("user", "2+2?"), ("ai", "4"), ("user", "2+3?")]
assert model.invoke(conversation, max_tokens=2).content is not None

try:
    model.bind_tools([{"type": "function", "function": {"name": "f"}}]).invoke("2+2?")
except openai.BadRequestError as error:
    assert error.param == "tools", error
else:
    raise AssertionError("tools were accepted")

print("all good")
