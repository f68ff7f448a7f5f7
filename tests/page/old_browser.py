# The page in the oldest Chrome it supports: Chromium 80, which Qt WebEngine 5.15.0 contains. A real
# box answers a question of the demo model; the answer is typeset, the history lists it, the kiosk
# opens, and the console has no error. Pictures of each go to target/page/oldest.
#
#   target/venv-oldest/bin/python tests/page/old_browser.py BINARY
#
# `make page-trials` runs it; build/prepare.sh oldest installs the browser.

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HOST = "box.test"
PATIENCE_S = 60
# A picture is taken once the window has stood still for this long.
FRAMES_STILL = 20
FRAME_MS = 20
# The box's policy asks for more than Chromium 80 knows, which it reports and ignores.
HARMLESS = "Unrecognized Content-Security-Policy directive 'require-trusted-types-for'"
PICTURES = pathlib.Path(__file__).parents[2] / "target/page/oldest"
ENVIRONMENT = {
    "QT_QPA_PLATFORM": "offscreen",
    "QT_QUICK_BACKEND": "software",
    "QTWEBENGINE_DISABLE_SANDBOX": "1",
}
os.environ.update(ENVIRONMENT)

try:
    from PyQt5.QtCore import QEventLoop, QUrl
    from PyQt5.QtWebEngineWidgets import QWebEnginePage, QWebEngineProfile, QWebEngineView
    from PyQt5.QtWidgets import QApplication
except ImportError as error:
    sys.exit(f"cannot start Chromium 80: {error}\nRun build/prepare.sh oldest, which installs it.")


class Page(QWebEnginePage):
    """A page that keeps what its console reports as errors, exceptions included."""

    def __init__(self, profile):
        super().__init__(profile)
        self.faults = []

    def javaScriptConsoleMessage(self, level, message, line, source):
        if level == QWebEnginePage.ErrorMessageLevel and HARMLESS not in message:
            self.faults.append(f"{source}:{line}: {message}")


class Browser:
    def __init__(self):
        rules = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
        self.application = QApplication([sys.argv[0], rules])
        self.profile = QWebEngineProfile()  # without a name: nothing is kept
        self.page = Page(self.profile)
        self.view = QWebEngineView()
        self.view.setPage(self.page)
        self.view.resize(800, 900)
        self.view.show()

    def evaluate(self, script):
        results = []
        self.page.runJavaScript(script, results.append)
        end = time.monotonic() + PATIENCE_S
        while not results:
            self.application.processEvents()
            if time.monotonic() > end:
                sys.exit(f"the page did not reply to: {script}")
        return results[0]

    def until(self, what, script):
        """Waits until an expression of the page holds."""
        end = time.monotonic() + PATIENCE_S
        while not self.evaluate(f"Boolean({script})"):
            if time.monotonic() > end:
                self.picture("failure")
                shown = self.evaluate("document.body.innerText")
                sys.exit(f"waited {PATIENCE_S} s for {what}; faults: {self.page.faults}\n{shown}")

    def open(self, address):
        self.page.load(QUrl(address))
        self.until("the page", f"location.href === '{address}' && document.querySelector('main')")

    def picture(self, name):
        """Takes a picture of what fits; fails if a part is wider than the window."""
        still, last = 0, None
        while still < FRAMES_STILL:
            self.evaluate("document.body.offsetHeight")
            self.application.processEvents(QEventLoop.WaitForMoreEvents, FRAME_MS)
            now = self.view.grab().toImage()
            still, last = (still + 1 if now == last else 0), now
        PICTURES.mkdir(parents=True, exist_ok=True)
        last.save(str(PICTURES / f"{name}.png"))
        wide = self.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            self.page.faults.append(f"{name} is {wide} pixels wider than the window")


def labelled(kind, text):
    """An expression for the first element of a kind whose text begins so."""
    elements = f"[...document.querySelectorAll('{kind}')]"
    return f"{elements}.find((one) => one.textContent.startsWith('{text}'))"


def look(browser, origin):
    """Asks, waits, reads: what a person does."""
    browser.open(f"{origin}/")
    agent = browser.evaluate("navigator.userAgent")
    assert "Chrome/80." in agent, agent
    browser.until("a field", "document.querySelector('textarea')")
    browser.evaluate(
        "{ const field = document.querySelector('textarea');"
        " field.focus(); document.execCommand('insertText', false, 'What is 348 + 577?'); }"
    )
    browser.picture("ask")
    browser.evaluate(f"{labelled('button', 'Ask')}.click()")
    browser.until("the job", "location.hash.startsWith('#job/')")
    browser.until("the answer", "document.body.innerText.includes('Ready')")
    browser.until("its formula", "/925/.test((document.querySelector('.katex') || {}).textContent)")
    browser.evaluate("document.querySelector('.job-thinking-line').click()")
    browser.until("thinking", "document.querySelector('.job-thinking-line[aria-expanded=true]')")
    browser.picture("answer")
    browser.evaluate(f"{labelled('a', 'Your questions')}.click()")
    browser.until("the history", "/348/.test((document.querySelector('.entry') || {}).textContent)")
    browser.picture("history")
    browser.open(f"{origin}/?kiosk=3")
    browser.until("the kiosk", "document.documentElement.classList.contains('kiosk')")
    browser.picture("kiosk")
    browser.open(f"{origin}/owner")
    browser.until("the owner's view", "document.querySelector('main').innerText.trim() !== ''")
    browser.picture("owner")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_ready(box, port):
    if box.poll() is not None:
        sys.exit("the box ended; its output is above")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as reply:
            return reply.status == 200
    except OSError:
        return False


def main():
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        command = [sys.argv[1], "serve", "--model", "demo", "--threads", "1", "--data", data]
        command += ["--listen", f"127.0.0.1:{port}", "--host-name", HOST]
        own = {k: v for k, v in os.environ.items() if not k.startswith("SOLVERBOX_")}
        box = subprocess.Popen(command, env=own)
        try:
            end = time.monotonic() + PATIENCE_S
            while not is_ready(box, port):
                if time.monotonic() > end:
                    sys.exit(f"waited {PATIENCE_S} s for the box to be ready")
            browser = Browser()
            look(browser, f"http://{HOST}:{port}")
        finally:
            box.kill()
            box.wait()
    if browser.page.faults:
        sys.exit("faults of the page:\n" + "\n".join(browser.page.faults))
    print("all good", flush=True)
    # Qt WebEngine may crash while Python takes it apart.
    os._exit(0)


main()
