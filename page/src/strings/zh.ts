// All Chinese words, a section for each part of the page.

import type { Strings } from "./index.ts";
import { app } from "./zh/app.ts";
import { ask } from "./zh/ask.ts";
import { client } from "./zh/client.ts";
import { history } from "./zh/history.ts";
import { job } from "./zh/job.ts";
import { room } from "./zh/room.ts";
import { text } from "./zh/text.ts";

export const zh: Strings = { app, ask, client, history, job, room, text };
