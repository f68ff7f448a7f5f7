"""Asks a solverbox one question over a UART, in MicroPython on a board; elsewhere over a tty:
serial_device.py /dev/ttyUSB0 'What is 17*23?'"""
import binascii, json, select, sys, time

QUESTION = sys.argv[2] if len(sys.argv) > 2 else "What is 17*23?"
SETTINGS = {"type": "set", "crc": True, "line_bytes": 256, "thinking": False}
try:
    from machine import UART
    port = UART(1, 115200, rxbuf=4096)
except ImportError:
    import os
    os.system("stty raw -echo 115200 <" + sys.argv[1])
    port = open(sys.argv[1], "r+b", buffering=0)
poll = select.poll()
poll.register(port, select.POLLIN)
number = 0

def summed(text):
    return b"%s*%08X" % (text, binascii.crc32(text))

def read_line(ms):  # Returns {} for a damaged line, None if no line arrives in time.
    line = b""
    while poll.poll(ms):
        byte = port.read(1)
        if byte == b"":
            raise SystemExit("the port was closed")
        if byte == b"\n":
            text = line[:-9]
            return json.loads(text) if line == summed(text) else {}
        line += byte or b""

def request(answer, **message):  # Repeats it, each time under a new ID, until it is answered.
    global number
    while True:
        number += 1
        sent = dict({"id": number}, **message)
        for each in (SETTINGS, sent):  # A restarted box has lost the settings.
            port.write(b"\n" + summed(json.dumps(each).encode()) + b"\n")
        until = time.time() + 2
        while time.time() < until:
            line = read_line(1000) or {}
            if line.get("id") == sent["id"]:
                if line["type"] == answer:
                    return line
                if line["type"] == "error" and "retry_after_s" not in line:
                    raise SystemExit(line["message"])

last = request("job", type="last")
job, at, event = last["job"], "0", None
if not job or last.get("question") != QUESTION:  # Otherwise this board was reset.
    # With an ID made from the question, a repeated request is the same job.
    own = "%08X" % binascii.crc32(QUESTION.encode())
    job = request("accepted", type="ask", id=own, question=QUESTION, attempts=1)["job"]
while True:
    if not event:  # Gets exactly the rest, under a new ID: lines under the old one are outdated.
        request("accepted", type="follow", job=job, **{"from": at})
    elif event.get("id") == number:
        at = event.get("at", at)
        if event["type"] == "answer":
            print(event["text"], end="")
        elif event["type"] == "rewind":
            print("\n[again from byte %d]" % event["to"])
        elif event["type"] in ("done", "failed"):
            break
    event = read_line(20000)
print("\n=>", event.get("value", event.get("message")))
