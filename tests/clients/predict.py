"""`/api/predict` as a Gradio user writes it with requests: tests/api/clients.rs runs it with the URL."""

import sys

import requests

url = f"{sys.argv[1]}/api/predict"

reply = requests.post(url, json={"data": ["What is 348 + 577?", "math"]}, timeout=120)
reply.raise_for_status()
assert "925" in reply.json()["data"][0] and reply.json()["duration"] > 0, reply.text
assert reply.headers["content-type"] == "application/json"

for data in [["What is 2+2?"], ["What is 2+2?", None], ["What is 2+2?", "review", "It is 5."]]:
    reply = requests.post(url, json={"data": data}, timeout=120)
    assert reply.ok and len(reply.json()["data"]) == 1, reply.text

for body, status in [({"data": []}, 400), ({}, 400), ({"data": ["2+2?", "chess"]}, 404)]:
    reply = requests.post(url, json=body, timeout=120)
    error = reply.json()["error"]
    assert reply.status_code == status and error["message"] and error["remedy"], reply.text

print("all good")
