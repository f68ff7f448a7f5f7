// All English words, a section for each part of the page.

import { app } from "./en/app.ts";
import { ask } from "./en/ask.ts";
import { client } from "./en/client.ts";
import { history } from "./en/history.ts";
import { job } from "./en/job.ts";
import { room } from "./en/room.ts";
import { text } from "./en/text.ts";

export const en = { app, ask, client, history, job, room, text };
