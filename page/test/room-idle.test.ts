import assert from "node:assert/strict";
import { test } from "node:test";
import { Idle, type Traces } from "../src/views/room/kiosk/idle.ts";

const MINUTE = 60_000;

/** A kiosk of three minutes whose clock and whose box a test sets. */
class Room {
  now = 1_800_000_000_000;
  traces: Traces | "fails" = "some";
  looks = 0;
  left = 0;
  readonly idle = new Idle({
    idleMs: 3 * MINUTE,
    now: () => this.now,
    look: async () => {
      this.looks += 1;
      if (this.traces === "fails") throw new Error("the box does not answer");
      return this.traces;
    },
    leave: () => void (this.left += 1),
  });

  /** Lets time pass, with a tick each second and time for what the tick began. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.now += 1_000;
      this.idle.tick();
      await Promise.resolve();
      await new Promise((done) => setImmediate(done));
    }
  }

  get stage() {
    return this.idle.stage.value;
  }
}

test("after its idle minutes a kiosk warns for 20 seconds, then leaves once", async () => {
  const room = new Room();
  await room.pass(3 * MINUTE - 1_000);
  assert.equal(room.stage, "calm");
  await room.pass(1_000);
  assert.equal(room.stage, "warning");
  assert.equal(room.idle.leftS.value, 20);
  await room.pass(19_000);
  assert.deepEqual([room.stage, room.idle.leftS.value, room.left], ["warning", 1, 0]);
  await room.pass(5_000);
  assert.deepEqual([room.stage, room.left], ["leaving", 1]);
});

test("a touch starts the minutes again, but does not answer the warning", async () => {
  const room = new Room();
  await room.pass(2 * MINUTE);
  room.idle.touch();
  await room.pass(2 * MINUTE);
  assert.equal(room.stage, "calm");
  await room.pass(MINUTE);
  assert.equal(room.stage, "warning");
  room.idle.touch();
  assert.equal(room.stage, "warning");
});

test("an answer to the warning keeps the page for the minutes again", async () => {
  const room = new Room();
  await room.pass(3 * MINUTE + 5_000);
  room.idle.stay();
  assert.equal(room.stage, "calm");
  await room.pass(3 * MINUTE - 1_000);
  assert.equal(room.stage, "calm");
  await room.pass(1_000);
  assert.equal(room.stage, "warning");
});

test("a question being answered puts the warning off; its minutes count from its end", async () => {
  const room = new Room();
  room.traces = "busy";
  await room.pass(30 * MINUTE);
  assert.equal(room.stage, "calm");
  assert.ok(room.looks >= 3 * 50 && room.looks < 3 * 65, `${room.looks} looks`);
  room.traces = "some";
  await room.pass(3 * MINUTE - 1_000);
  assert.equal(room.stage, "calm");
  await room.pass(12_000);
  assert.equal(room.stage, "warning");
});

test("a box that does not answer puts the warning off", async () => {
  const room = new Room();
  room.traces = "fails";
  await room.pass(10 * MINUTE);
  assert.equal(room.stage, "calm");
});

test("a page without traces is left alone", async () => {
  const room = new Room();
  room.traces = "none";
  await room.pass(10 * MINUTE);
  assert.equal(room.stage, "calm");
  assert.ok(room.looks <= 4, `${room.looks} looks`);
});

test("somebody who comes while the box is asked is not warned", async () => {
  const room = new Room();
  room.now += 3 * MINUTE;
  room.idle.tick();
  room.idle.touch();
  await new Promise((done) => setImmediate(done));
  assert.equal(room.stage, "calm");
});

test("a device that slept warns when it wakes, and leaves if it sleeps on", async () => {
  const room = new Room();
  room.now += 60 * MINUTE;
  await room.pass(1_000);
  assert.equal(room.stage, "warning");
  room.now += 60 * MINUTE;
  await room.pass(1_000);
  assert.equal(room.stage, "leaving");
});

test("a clock that is set back lengthens neither the minutes nor the warning", async () => {
  const room = new Room();
  await room.pass(MINUTE);
  room.now -= 365 * 24 * 60 * MINUTE;
  await room.pass(3 * MINUTE + 1_000);
  assert.equal(room.stage, "warning");
  room.now -= 60 * MINUTE;
  room.idle.tick();
  assert.equal(room.idle.leftS.value, 20);
});

test("taking a question along gives more time, and being done takes none", async () => {
  const room = new Room();
  room.idle.warn();
  assert.equal(room.stage, "warning");
  room.idle.hold(60_000);
  await room.pass(50_000);
  assert.equal(room.stage, "warning");
  room.idle.leaveNow();
  room.idle.leaveNow();
  assert.equal(room.left, 1);
});
