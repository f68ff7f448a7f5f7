"""A session of the job API with requests: tests/api/clients.rs runs it with the URL."""

import json
import sys

import requests

box = f"{sys.argv[1]}/api/jobs"
session = requests.Session()
session.headers["Authorization"] = "Bearer a session's"


def call(method, path="", expected=200, **more):
    reply = session.request(method, box + path, timeout=120, **more)
    assert reply.status_code == expected, (method, path, reply.status_code, reply.text)
    return reply


def events(path, **headers):
    """Yields each event as its kind, its id and its data."""
    event = {}
    with session.get(box + path + "/events", headers=headers, stream=True, timeout=120) as reply:
        reply.raise_for_status()
        for line in reply.iter_lines(decode_unicode=True):
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value
            elif not line and "data" in event:
                yield event["event"], event["id"], json.loads(event["data"])
                event = {}


# Ask. Asked again under the same key, it is the same job.
body = {"question": "What is 348 + 577?", "mode": "math", "seed": 1}
key = {"Idempotency-Key": "7d0c"}
accepted = call("POST", json=body, headers=key, expected=202)
job = accepted.headers["Location"].removeprefix("/api/jobs")
assert job == "/" + accepted.json()["id"], accepted.headers
assert call("POST", json=body, headers=key, expected=202).json()["id"] == job[1:]
call("POST", json={**body, "question": "Another?"}, headers=key, expected=409)

# Poll until it is over.
while (now := call("GET", job).json())["state"] in ("queued", "running"):
    pass
assert now["state"] == "done" and "925" in now["answer"], now

# Read its events; from any of their ids on there is exactly the rest.
told = list(events(job))
text = "".join(data["text"] for kind, _, data in told if kind in ("thinking", "answer"))
assert "\u2192" in text, "the demo model writes arrows"
assert text.startswith(now["thinking"]) and text.rstrip().endswith(now["answer"]), (text, now)
kind, end, data = told[-1]
assert (kind, end, data["answer"]) == ("done", now["offset"], now["answer"]), told[-1]
middle = next(at for kind, at, _ in told if kind == "answer")
rest = list(events(job, **{"Last-Event-ID": middle}))
rest = "".join(data["text"] for kind, _, data in rest if kind in ("thinking", "answer"))
assert text.encode()[int(middle):].decode() == rest, (middle, rest)

# Have a long one answered now: what it has thought so far must do.
long = {"question": "What is 9876 * 789?", "mode": "math", "attempts": 8}
job = "/" + call("POST", json=long, expected=202).json()["id"]
call("POST", job + "/finish", expected=202)
assert [kind for kind, _, _ in events(job)][-1] == "done"
assert call("GET", job).json()["state"] == "done"

# Stop one, look through all, forget them, and they are gone.
job = "/" + call("POST", json=long, expected=202).json()["id"]
call("POST", job + "/stop", expected=202)
assert [kind for kind, _, _ in events(job)][-1] == "done"
listed = call("GET", params={"limit": 2}).json()
assert [len(listed["jobs"]), listed["jobs"][0]["id"]] == [2, job[1:]], listed
older = call("GET", params={"before": listed["next"]}).json()
assert len(older["jobs"]) == 1 and older["next"] is None, older
for one in listed["jobs"] + older["jobs"]:
    call("DELETE", "/" + one["id"], expected=204)
    assert call("GET", "/" + one["id"], expected=404).json()["error"]["kind"] == "not_found"
while call("GET").json()["jobs"]:
    pass

assert call("POST", json={"question": "x", "attempts": 99}, expected=400).json()["error"]["remedy"]

print("all good")
