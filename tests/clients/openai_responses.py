"""The Responses API and text completions with the official OpenAI client in Python: tests/api/clients.rs runs it
with the box's URL."""

import sys

import openai

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="a pupil's", max_retries=0, timeout=120)
question = "What is 348 + 577?"


def respond(**fields):
    fields = {"model": "solverbox:math", "input": question, "temperature": 0, **fields}
    return client.responses.create(**fields)


whole = respond()
reasoning, message = whole.output
assert whole.status == "completed" and "925" in whole.output_text, whole
assert reasoning.type == "reasoning" and reasoning.content[0].text, reasoning
assert message.role == "assistant" and message.content[0].annotations == [], message
assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens
assert 0 < whole.usage.output_tokens_details.reasoning_tokens < whole.usage.output_tokens

thinking, text, last = "", "", None
for event in respond(stream=True):
    if event.type == "response.reasoning_text.delta":
        thinking += event.delta
    elif event.type == "response.output_text.delta":
        text += event.delta
    last = event
assert last.type == "response.completed" and last.response.usage == whole.usage, last
assert thinking.strip() == reasoning.content[0].text and text.strip() == whole.output_text

# The client's own reader of streams puts the events together, and checks their order.
with client.responses.stream(
    model="solverbox:math", input=question, temperature=0, reasoning={"summary": "auto"}
) as stream:
    kinds = [event.type for event in stream]
    final = stream.get_final_response()
assert "response.reasoning_summary_text.delta" in kinds, kinds
assert final.output_text.strip() == whole.output_text, final
assert final.output[0].summary[0].text.strip() == reasoning.content[0].text, final

# The items of an answer are sent back as they came.
conversation = [{"role": "user", "content": question}, *whole.output]
conversation.append({"role": "user", "content": "What is 12 + 30?"})
further = respond(input=conversation, instructions="Be brief.")
assert further.output_text and further.instructions == "Be brief.", further

cut = respond(max_output_tokens=2)
assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens"), cut
voted = respond(temperature=1, extra_body={"attempts": 4, "seed": 3})
assert "925" in [vote["value"] for vote in voted.model_extra["solverbox"]["votes"]], voted

# Leaving a stream early stops its job: the next question is answered at once.
stream = respond(stream=True, max_output_tokens=8000, extra_body={"ignore_eos": True})
next(iter(stream))
stream.close()

for change, param in [
    ({"tools": [{"type": "web_search"}]}, "tools"),
    ({"previous_response_id": whole.id}, "previous_response_id"),
    ({"background": True}, "background"),
    ({"text": {"format": {"type": "json_object"}}}, "text.format"),
]:
    try:
        respond(**change)
    except openai.BadRequestError as error:
        assert error.param == param and error.body["message"], error.body
    else:
        raise AssertionError(f"{change} was accepted")
try:
    client.responses.retrieve(whole.id)
except openai.NotFoundError as error:
    assert "/api/jobs/" in error.body["message"], error.body
else:
    raise AssertionError("a response was kept")


def complete(**fields):
    fields = {"model": "solverbox:math", "prompt": question, "temperature": 0, **fields}
    return client.completions.create(**fields)


answer = complete()
assert "925" in answer.choices[0].text and answer.choices[0].finish_reason == "stop", answer
pieces = [choice.text for chunk in complete(stream=True) for choice in chunk.choices]
assert "".join(pieces).strip() == answer.choices[0].text, pieces
assert [choice.index for choice in complete(n=2, temperature=1, seed=3).choices] == [0, 1]
assert complete(echo=True).choices[0].text == question + answer.choices[0].text
try:
    complete(suffix="}")
except openai.BadRequestError as error:
    assert error.param == "suffix", error.body
else:
    raise AssertionError("a suffix was accepted")

print("all good")
