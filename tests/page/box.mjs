// A real box with the demo model, a port and a data folder of its own, that can be killed and
// started again.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./browser.mjs";
import { HOST } from "./replayer.mjs";

export class Box {
  /** Starts a box and waits until its model is loaded; with a PIN its owner can sign in. */
  static async start(binary, args = [], { pin = "" } = {}) {
    const box = new Box();
    box.binary = binary;
    box.args = args;
    box.data = mkdtempSync(join(tmpdir(), "solverbox-page-"));
    box.port = await freePort();
    if (pin) {
      const options = { input: `${pin}\n`, stdio: ["pipe", "pipe", "pipe"] };
      execFileSync(binary, ["owner", "set-pin", "--data", box.data], options);
    }
    await box.begin();
    return box;
  }

  get origin() {
    return `http://${HOST}:${this.port}`;
  }

  /** Starts it on its folder and its port, and waits until it is ready. */
  async begin() {
    const args = [
      "serve",
      "--model",
      "demo",
      "--threads",
      "1",
      "--data",
      this.data,
      "--listen",
      `127.0.0.1:${this.port}`,
      "--host-name",
      HOST,
      ...this.args,
    ];
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("SOLVERBOX_"));
    const stdio = ["ignore", "ignore", "pipe"];
    this.child = spawn(this.binary, args, { env: Object.fromEntries(own), stdio });
    this.log = "";
    this.child.stderr.on("data", (part) => (this.log += part));
    await until(
      "the box to be ready",
      async () => {
        if (this.child.exitCode !== null) throw new Error(`the box ended: ${this.log}`);
        const reply = await fetch(`http://127.0.0.1:${this.port}/healthz`).catch(() => null);
        return reply?.status === 200;
      },
      60_000,
    );
  }

  /** Ends it as a power cut would. */
  async kill() {
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
  }

  async close() {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill();
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Asks for JSON as a program that sends a browser's cookie. */
  async get(path, cookie) {
    const reply = await fetch(`http://127.0.0.1:${this.port}${path}`, { headers: { cookie } });
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }
}

/** Returns a port that stays free while a box restarts: outside the range the system assigns. */
async function freePort() {
  for (let port = 20_000 + (process.pid % 10_000); ; port++) {
    const server = createServer();
    server.listen(port, "127.0.0.1");
    const [outcome] = await Promise.race([
      once(server, "listening").then(() => ["free"]),
      once(server, "error").then(() => ["taken"]),
    ]);
    if (outcome === "free") {
      server.close();
      await once(server, "close");
      return port;
    }
  }
}
