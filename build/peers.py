"""Runs `solverbox serve` and llama.cpp's llama-server under the same loads, in alternating runs; some loads
compare solverbox with itself. Prints a Markdown table for docs/benchmarks.md. build/bench-peers.sh calls it
with the programs and the models. While a server is timed, this program only reads its responses.

    python build/peers.py --solverbox FILE --llama-server FILE --model GGUF --speaking-model GGUF
        [--threads 2] [--rounds 5] [--only LOAD,…] [--servers NAME,…] [--peer-flags=FLAGS] [--json FILE]

Both get the same requests over OpenAI's API with the system prompt of mode `math`: streamed, greedy and without
an early end, so that sampling has no influence.
"""
import argparse
import http.client
import json
import math
import os
import platform
import random
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

PEER, BOX = "llama-server", "solverbox"
# Server flags for each setup. llama-server shares its KV cells among all slots by default, but not when -np is
# given, hence -kvu; otherwise its defaults. Both use an f16 KV cache.
SETUPS = {
    "school": {
        PEER: "-c 8192 -np 8 -kvu --no-webui",
        BOX: "--context-tokens 8192 --sequences 8 --kv f16 --drafts off",
    },
    "long": {
        PEER: "-c 32768 -np 8 -kvu --no-webui",
        BOX: "--context-tokens 32768 --sequences 8 --kv f16 --drafts off --question-tokens-max 4096",
    },
    "drafts off": {BOX: "--context-tokens 4096 --sequences 1 --drafts off"},
    "drafts auto": {BOX: "--context-tokens 4096 --sequences 1 --drafts auto"},
}
CLIENTS, ANSWER_TOKENS, LONG_TOKENS = 8, 48, 3000
# The built-in modes with the shortest and the longest system prompt.
RESTARTED = ("math", "review")
# In seconds: a server's time limit, the pause between two connection attempts, and the limit for all clients to
# be served at once.
PATIENCE, TRY_EVERY, ALL_SERVED = 600, 0.01, 120


@dataclass
class Row:
    """A measured figure, the load that produces it, and its target (bar)."""

    key: str
    load: str
    text: str
    unit: str
    bar: str = ""
    # Whether the bar applies to solverbox's own figure instead of its ratio to llama-server's.
    absolute: bool = False


ROWS = [
    Row("start", "start", "process start to the first token of the first answer", "s", "<= 1.00"),
    Row("one", "one", "one stream of 128 tokens, drafts off", "tokens/s", ">= 1.00"),
    Row("one_answer", "four", "one answer of 48 tokens", "s"),
    Row("four_answers", "four", "4 answers of 48 tokens to one question", "s", "<= 0.85"),
    Row("four_to_one", "four", "time of 4 answers relative to one", "×"),
    Row("eight", "eight", "8 concurrent clients, 48 tokens each, total throughput", "tokens/s", ">= 1.50"),
    Row("memory", "memory", "peak memory after 8 clients, 8,192 cells", "MB", "<= 0.70"),
    Row("gap_p50", "gap", "gap between tokens of 7 streams during the prefill of a 3,000-token question: median", "s"),
    Row("gap_p95", "gap", "the same, 95th percentile", "s", "<= 0.6", absolute=True),
    Row("gap_longest", "gap", "the same, longest", "s", "<= 1.0", absolute=True),
    Row("long_alone", "gap", "time to first token of a 3,000-token question, alone", "s"),
    Row("long_among", "gap", "time to first token of a 3,000-token question, with 7 other streams", "s"),
    Row("long_times", "gap", "the latter relative to the former", "×", "<= 1.5", absolute=True),
    *(row for mode in RESTARTED for row in (
        Row(f"restart_{mode}", "restart", f"time to first token in mode `{mode}` after a restart", "s"),
        Row(f"restart_{mode}_prefill", "restart", "prefill time of that mode's system prompt", "s"),
        Row(f"restart_{mode}_times", "restart", "the former relative to the latter", "×", "<= 0.2", absolute=True),
    )),
    Row("restating", "drafts", "repetitive text: speed with drafts auto relative to drafts off", "×", ">= 1.3",
        absolute=True),
    Row("wandering", "drafts", "other text: speed with drafts auto relative to drafts off", "×", ">= 0.97",
        absolute=True),
]


class Unserved(Exception):
    """A server does not support a load or failed it; the text gives the reason."""


class Stream(threading.Thread):
    """One request and its response; `times` has the arrival time of every event with text."""

    def __init__(self, port, body):
        super().__init__(daemon=True)
        self.body = json.dumps(body)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.times, self.text, self.usage, self.status, self.refusal = [], "", {}, None, ""
        self.socket = self.sent = self.ended = None

    def run(self):
        try:
            self.connection.connect()
            # The connection drops its socket once the response has arrived.
            self.socket = self.connection.sock
            self.sent = time.monotonic()
            self.connection.request("POST", "/v1/chat/completions", self.body, {"Content-Type": "application/json"})
            response = self.connection.getresponse()
            self.status = response.status
            if self.status == 200:
                self.read(response)
            else:
                self.refusal = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            # The errors http.client raises if the connection is closed during the request.
            self.refusal = self.refusal or f"{type(error).__name__}: {error}"
        self.ended = time.monotonic()
        self.connection.close()

    def read(self, response):
        for line in response:
            now = time.monotonic()
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            # With several answers, llama-server reports the usage of each separately.
            for what, tokens in (event.get("usage") or {}).items():
                if isinstance(tokens, int):
                    self.usage[what] = self.usage.get(what, 0) + tokens
            deltas = [choice["delta"] for choice in event.get("choices", [])]
            text = "".join((d.get("reasoning_content") or "") + (d.get("content") or "") for d in deltas)
            if text:
                self.times.append(now)
                self.text += text

    def leave(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # The stream has already ended.
        self.join()

    def done(self):
        """Waits for the end and returns the stream; raises Unserved if no text arrived."""
        self.join()
        if self.status != 200 or not self.times:
            raise Unserved(self.refusal.strip() or "the response had no text")
        return self

    @property
    def tokens(self):
        return self.usage.get("completion_tokens", 0)

    @property
    def first(self):
        """Time to the first token, in seconds."""
        return self.times[0] - self.sent


class Server:
    """A running server; it stops at the end of its `with` block."""

    def __init__(self, kind, setup, model=None, data=None):
        self.kind, self.ran = kind, set()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory(prefix="solverbox-peers-")
        self.log = open(f"{self.folder.name}/log", "w+b")
        model = model or args.model
        if kind == PEER:
            command = [args.llama_server, "--host", "127.0.0.1", "--port", str(self.port)]
            command += ["-m", model, "-t", args.threads, *flags(kind, setup), *shlex.split(args.peer_flags)]
        else:
            command = [args.solverbox, "serve", "--listen", f"127.0.0.1:{self.port}", "--model", model]
            command += ["--data", data or self.folder.name, "--threads", args.threads, *flags(kind, setup)]
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, env=PLAIN, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.clock = Clock(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGTERM)
        self.folder.cleanup()

    def stop(self, how):
        self.process.send_signal(how)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def stream(self, body):
        """Starts a request and returns its stream."""
        stream = Stream(self.port, body)
        stream.start()
        return stream

    def ask(self, body):
        """Sends a request, waits for its end and returns the stream."""
        return self.stream(body).done()

    def first_answer(self, body):
        """Retries until the server answers: while starting it refuses the connection or sends 503."""
        while True:
            stream = self.stream(body)
            stream.join()
            if stream.status == 200 and stream.times:
                return stream
            if self.process.poll() is not None or stream.status not in (None, 503):
                self.log.seek(0)
                output = self.log.read().decode(errors="replace")[-2000:]
                sys.exit(f"{output}\n{stream.refusal}\nsolverbox: peers.py: cannot start '{self.kind}'\n"
                         "Fix the error in its output above, then run it again.")
            if time.monotonic() > self.began + PATIENCE:
                sys.exit(f"solverbox: peers.py: '{self.kind}' did not answer within {PATIENCE} s\n"
                         "Run it by hand to see why.")
            time.sleep(TRY_EVERY)

    def peak_mb(self):
        """Peak memory, including pages of mapped files."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def flags(kind, setup):
    """The setup's flags; `--drafts off` is dropped for a solverbox without that flag."""
    words = shlex.split(SETUPS[setup][kind])
    if "--drafts" in words and not has_drafts():
        if "auto" in words:
            raise Unserved("this solverbox does not support --drafts")
        at = words.index("--drafts")
        del words[at : at + 2]
    return words


def has_drafts():
    help = subprocess.run([args.solverbox, "serve", "--help"], env=PLAIN, stdout=subprocess.PIPE, check=True).stdout
    return b"--drafts" in help


# Requests.

def chat(question, tokens, system=None, **more):
    """A request for this many tokens; the default system prompt is that of mode `math`."""
    system = [{"role": "system", "content": MATH if system is None else system}]
    return {
        "model": "solverbox:math",
        "messages": system + [{"role": "user", "content": question}],
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        **more,
    }


def sum_question(*which):
    """A question that is unique within a round and the same for both servers."""
    numbers = random.Random(repr(which))
    boxes, each, more = (numbers.randrange(11, 99) for _ in range(3))
    return f"A shop sells {boxes} boxes of {each} pencils and {more} single ones. How many pencils is that?"


WORDS = (
    "time year people way day man thing woman life child world school state family student group country problem "
    "hand part place case week company system program question work number night point home water room mother area "
    "money story fact month lot right study book eye job word business issue side kind head house service friend "
    "father power hour game line end member law car city name president team minute idea kid body information back"
).split()


def long_question(*which):
    """A question of LONG_TOKENS tokens including template and system prompt; each of these words is one token."""
    numbers = random.Random(repr(which))
    return " ".join(numbers.choice(WORDS) for _ in range(LONG_TOKENS - 110)) + ". Which word comes most often?"


# The loads. Each returns figures by the keys of ROWS.

def start(server, turn):
    return {"start": server.first_token}


def one(server, turn):
    stream = server.ask(chat(sum_question("one", turn), 128))
    return {"one": speed([stream])}


def four(server, turn):
    single = server.ask(chat(sum_question("single", turn), ANSWER_TOKENS))
    many = server.ask(chat(sum_question("four", turn), ANSWER_TOKENS, n=4))
    if many.tokens < 4 * ANSWER_TOKENS:
        raise Unserved(f"`n: 4` brought {many.tokens} tokens")
    times = [stream.ended - stream.sent for stream in (single, many)]
    return {"one_answer": times[0], "four_answers": times[1], "four_to_one": times[1] / times[0]}


def eight(server, turn):
    streams = [Stream(server.port, chat(sum_question("eight", turn, n), ANSWER_TOKENS)) for n in range(CLIENTS)]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.done()
    seconds = max(stream.times[-1] for stream in streams) - min(stream.sent for stream in streams)
    return {"eight": sum(stream.tokens for stream in streams) / seconds}


def memory(server, turn):
    if "eight" not in server.ran:
        eight(server, turn)
    return {"memory": server.peak_mb()}


def gap(server, turn):
    alone = server.ask(chat(long_question("alone", turn), 8))
    if abs(alone.usage["prompt_tokens"] - LONG_TOKENS) > 0.02 * LONG_TOKENS:
        remark(f"the long question has {alone.usage['prompt_tokens']} tokens")
    others = [server.stream(chat(sum_question("gap", turn, n), 3000)) for n in range(CLIENTS - 1)]
    try:
        wait_until(lambda: all(len(stream.times) >= 8 for stream in others), others)
        among = server.ask(chat(long_question("among", turn), 8))
        begun, read = among.sent, among.times[0]
        # So that the gap in which it started is complete.
        wait_until(lambda: all(stream.times[-1] > read for stream in others), others)
    finally:
        for stream in others:
            stream.leave()
    pairs = [pair for stream in others for pair in zip(stream.times, stream.times[1:])]
    gaps = sorted(after - before for before, after in pairs if after > begun and before < read)
    return {
        "gap_p50": statistics.median(gaps),
        "gap_p95": gaps[math.ceil(0.95 * len(gaps)) - 1],
        "gap_longest": gaps[-1],
        "long_alone": alone.first,
        "long_among": among.first,
        "long_times": among.first / alone.first,
    }


def wait_until(condition, streams):
    end = time.monotonic() + ALL_SERVED
    while not condition():
        ended = next((stream for stream in streams if not stream.is_alive()), None)
        if ended:
            raise Unserved(ended.refusal or "a stream ended early")
        if time.monotonic() > end:
            raise Unserved(f"{len(streams)} concurrent streams were not all served within {ALL_SERVED} s")
        time.sleep(0.02)


def restart(turn):
    """solverbox only: these questions take the system prompt from the mode."""
    figures = {}
    for mode in RESTARTED:
        def ask(server, question, system=None):
            body = chat(question, 4, system, model=f"solverbox:{mode}")
            return server.ask(body if system else {**body, "messages": body["messages"][1:]}).first

        with tempfile.TemporaryDirectory(prefix="solverbox-peers-") as data:
            with Server(BOX, "school", data=data) as server:
                server.first_answer(chat("1+1?", 2, "Be brief."))
                fresh = ask(server, "2+2?")
                # The same with a minimal system prompt, which leaves the question's share of the time.
                rest = ask(server, "2+3?", ".")
                # The prefix cache is written to disk while the server is idle.
                time.sleep(2)
                server.stop(signal.SIGKILL)
            with Server(BOX, "school", data=data) as server:
                server.first_answer(chat("1+1?", 2, "Be brief."))
                again = ask(server, "3+3?")
        if fresh <= rest:
            raise Unserved("the system prompt was prefilled before the first request")
        figures |= {f"restart_{mode}": again, f"restart_{mode}_prefill": fresh - rest,
                    f"restart_{mode}_times": again / (fresh - rest)}
    return figures


# A model of 135 million parameters follows the request to repeat itself at the temperature of VibeThinker's modes,
# and writes freely at 1; greedy, it soon loops. Each round has different texts.
RESTATING = [
    "Solve step by step: a farmer has 12 rows of 15 trees and plants 20 more. How many trees are there? Then check "
    "your work: write every step again, and then write the whole solution once more.",
    "Work out 48 + 27 + 35 step by step. Repeat all steps to be sure. Then write all steps a last time.",
    "Prove step by step that the sum of two even numbers is even. Then restate the whole proof in the same words.",
]
WANDERING = ["Tell a strange story about a lighthouse.", "List facts about many different animals and countries."]


def drafts(turn):
    """solverbox only, with a trained model: the speed with drafts relative to the speed without."""
    speeds, kinds = {}, {"restating": (RESTATING, 0.6), "wandering": (WANDERING, 1)}
    for how in ("off", "auto")[:: 1 if turn % 2 == 0 else -1]:
        with Server(BOX, f"drafts {how}", model=args.speaking_model) as server:
            server.first_answer(chat("1+1?", 2, ""))
            for key, (questions, temperature) in kinds.items():
                more = {"temperature": temperature, "ignore_eos": False, "seed": 7 + turn, "model": "solverbox:plain"}
                streams = [server.ask(chat(question, 300, "", **more)) for question in questions]
                speeds[key, how] = speed(streams)
                if how == "off":
                    share = 100 * statistics.mean(repeats(stream.text) for stream in streams)
                    SHARES.setdefault(key, []).append(f"{share:.0f}")
    return {key: speeds[key, "auto"] / speeds[key, "off"] for key in kinds}


def repeats(text):
    """The share of words that a 3-word lookup predicts: the word that followed the same three words last time."""
    words, followed, hits = text.split(), {}, 0
    for at in range(3, len(words)):
        before = tuple(words[at - 3 : at])
        hits += followed.get(before) == words[at]
        followed[before] = words[at]
    return hits / max(1, len(words) - 3)


def speed(streams):
    """Tokens per second, not counting the first token."""
    return sum(s.tokens - 1 for s in streams) / sum(s.times[-1] - s.times[0] for s in streams)


ON_SERVERS = {"school": [start, one, four, eight, memory], "long": [gap]}
ALONE = [restart, drafts]


# Rounds and their results.

def remark(text):
    if text not in REMARKS:
        REMARKS.append(text)
        print(f"peers.py: {text}", file=sys.stderr)


def measure(turn, results):
    """Runs one round: every load on every server, alternating which server goes first."""
    def keep(kind, load, *on):
        clock = on[0].clock if load is start else Clock(*on)
        try:
            figures = load(*on, turn)
        except Unserved as reason:
            return remark(f"{kind}, load {load.__name__}: not measured ({str(reason)[:200]})")
        results[kind][turn].update(figures)
        summary_text = ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
        print(f"peers.py: round {turn + 1}, {kind}: {summary_text}; other programs used "
              f"{clock.others_percent():.0f} % of the CPU", file=sys.stderr)

    for setup, loads in ON_SERVERS.items():
        wanted = [load for load in loads if load.__name__ in args.only]
        for kind in args.servers[:: 1 if turn % 2 == 0 else -1]:
            if not wanted:
                break
            with Server(kind, setup) as server:
                first = server.first_answer(chat(sum_question("start", turn), 8))
                server.first_token = first.times[0] - server.began
                PROMPTS.setdefault(first.usage["prompt_tokens"], kind)
                for load in wanted:
                    keep(kind, load, server)
                    server.ran.add(load.__name__)
    for load in ALONE:
        if load.__name__ in args.only and BOX in args.servers:
            keep(BOX, load)


def middle(values, unit):
    digits = 0 if unit == "MB" else 1 if unit == "tokens/s" else 2
    if not values:
        return "–"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def summary(row, results):
    """A row's figures: each server's, the ratio per round and of the medians, and whether the bar is met."""
    peer, box = ([figures.get(row.key) for figures in results[kind]] for kind in (PEER, BOX))
    ratios = [ours / theirs for ours, theirs in zip(box, peer) if ours is not None and theirs is not None]
    peer, box = ([value for value in values if value is not None] for values in (peer, box))
    ratio = statistics.median(box) / statistics.median(peer) if ratios else None
    judged = statistics.median(box) if row.absolute and box else ratio
    sign, _, bar = row.bar.partition(" ")
    met = None if not bar or judged is None else (judged >= float(bar) if sign == ">=" else judged <= float(bar))
    return {"load": row.load, "text": row.text, "unit": row.unit, "bar": row.bar, PEER: peer, BOX: box,
            "ratio": ratio, "ratios": ratios, "met": met}


def table(rows):
    print(f"| load | unit | {PEER} | {BOX} | {BOX} / {PEER} | bar |\n|---|---|---:|---:|---:|---:|")
    for row in rows:
        ratio = "–"
        if row["ratio"] is not None and row["unit"] != "×":
            ratio = f"{row['ratio']:.2f} ({min(row['ratios']):.2f} to {max(row['ratios']):.2f})"
        bar = row["bar"].replace(">=", "≥").replace("<=", "≤") + {None: "", True: " ✓", False: " ✗"}[row["met"]]
        cells = [row["text"], row["unit"], *(middle(row[kind], row["unit"]) for kind in (PEER, BOX)), ratio, bar]
        print(f"| {' | '.join(cells)} |")


class Clock:
    """Measures the CPU share of other programs since its creation; a high share makes results unreliable."""

    def __init__(self, server=None):
        self.stat = f"/proc/{server.process.pid}/stat" if server else None
        self.began, self.before = time.monotonic(), self.others_seconds()

    def others_seconds(self):
        """CPU seconds used since boot, minus those of this program and its servers."""
        user, nice, system, _idle, _iowait, irq, softirq, steal = cpu_ticks("/proc/stat", 1, 9)
        ticks = user + nice + system + irq + softirq + steal
        # A running server's share; servers that have ended are counted as children below.
        ticks -= sum(cpu_ticks(self.stat, 13, 15)) if self.stat else 0
        mine = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return ticks / os.sysconf("SC_CLK_TCK") - sum(used.ru_utime + used.ru_stime for used in mine)

    def others_percent(self):
        seconds = self.others_seconds() - self.before
        return 100 * max(0, seconds) / ((time.monotonic() - self.began) * os.cpu_count())


def cpu_ticks(file, begin, end):
    with open(file) as stat:
        return map(int, stat.readline().split()[begin:end])


def main():
    # Reads the model into the page cache, so that the first start does not wait for the disk.
    subprocess.run(["cat", args.model], stdout=subprocess.DEVNULL, check=True)
    results = {kind: [{} for _ in range(args.rounds)] for kind in (PEER, BOX)}
    clock = Clock()
    for turn in range(args.rounds):
        measure(turn, results)
    others_percent = clock.others_percent()
    for key, shares in SHARES.items():
        remark(f"in the texts '{key}', {', '.join(shares)} % of the words repeat what followed the same 3 words")
    if others_percent > 5:
        remark("other programs were busy, so the results are unreliable: run it again on an idle machine")
    if len(PROMPTS) > 1:
        remark(f"the servers tokenize the same question differently (tokens: first server): {PROMPTS}")
    with open("/proc/cpuinfo") as info:
        names = [line.split(":")[1].strip() for line in info if line.startswith("model name")]
    what = {
        "model": Path(args.model).name, "speaking_model": Path(args.speaking_model).name, "threads": int(args.threads),
        "cpu": names[0] if names else platform.machine(), "rounds": args.rounds, "setups": SETUPS,
        "peer_built": args.peer_built, "peer_flags": args.peer_flags, "others_percent": others_percent,
    }
    rows = [summary(row, results) for row in ROWS if row.load in args.only]
    print(f"`{what['model']}`, {args.threads} threads on {what['cpu']}, {args.rounds} alternating rounds; {PEER} "
          f"built with `{args.peer_built}`; other programs used {others_percent:.0f} % of the CPU.\n")
    table(rows)
    print()
    for setup, of in SETUPS.items():
        used = {kind: f"{words} {args.peer_flags if kind == PEER else ''}".strip() for kind, words in of.items()}
        print(f"- {setup}: {', '.join(f'{kind} `{words}`' for kind, words in used.items())}")
    print("".join(f"- {text}\n" for text in REMARKS), end="")
    if args.json:
        Path(args.json).write_text(json.dumps({**what, "rows": rows, "remarks": REMARKS}, indent=1) + "\n")


def listed(known):
    """Returns an argparse type that parses NAME,NAME and accepts only known names."""
    def read(text):
        for word in text.split(","):
            if word not in known:
                raise argparse.ArgumentTypeError(f"unknown name '{word}', use one of {', '.join(known)}")
        return text.split(",")
    return read


def read_arguments():
    loads = [load.__name__ for load in sum(ON_SERVERS.values(), []) + ALONE]
    parser = argparse.ArgumentParser(description="solverbox and llama-server under the same loads")
    parser.add_argument("--solverbox", required=True)
    parser.add_argument("--llama-server", required=True)
    parser.add_argument("--peer-built", default="?", help="llama-server's build flags, for the printed summary")
    parser.add_argument("--peer-flags", default="", help="additional flags for llama-server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--speaking-model", required=True, help="a trained model, for the load 'drafts'")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=listed(loads), default=loads, metavar="LOAD,…", help=", ".join(loads))
    parser.add_argument("--servers", type=listed([PEER, BOX]), default=[PEER, BOX], metavar="NAME,…")
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args()


args = read_arguments()
# So that a server does not outlive this program.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("SOLVERBOX_", "LLAMA_ARG_"))}
MODES = tomllib.loads((Path(__file__).parent.parent / "src/types/modes.toml").read_text())["mode"]
MATH = next(mode["system"] for mode in MODES if mode["name"] == "math")
# The remarks printed below the table, and the token counts of a first question with the server that reported each.
REMARKS, PROMPTS = [], {}
# How much the texts of load `drafts` repeat themselves, in percent per round.
SHARES = {}
main()
