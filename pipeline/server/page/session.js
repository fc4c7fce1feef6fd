// What the server tells of the session, and who is told when it is another.

import { $ } from "./dom.js";
import { get, kept, post, Refused } from "./server.js";
import { language, say } from "./strings.js";

/** The session as it was told last. */
export let state = null;
const watchers = [];
let asks = 0;
let newest = 0;
let asking = null;

/** Whoever draws something of the session is called with each answer. */
export function watch(draw) {
  watchers.push(draw);
}

export function tell(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text ?? "";
}

/** Do something; what goes wrong is told. */
export async function attempt(work) {
  try {
    const result = await work();
    tell(null);
    return result;
  } catch (error) {
    tell(error instanceof Refused ? error.message || say.lost : say.lost);
    if (!(error instanceof Refused) && !(error instanceof TypeError)) throw error;
    return undefined;
  }
}

export async function makeSession() {
  const made = await post("/api/tasks/me/with-session/nemo_agent",
    { task_name: "project", language });
  kept.session = made.session_id;
  await refresh();
}

export async function refresh() {
  const asked = ++asks;
  show(await get(`/api/page/${kept.session}`), asked);
  const balance = await get("/api/credits/balance/simple");
  $("credits").textContent = say.credits(balance.available);
}

/** An answer that came with what was asked for. */
export function showAnswer(told) {
  show(told, ++asks);
}

/** Draw all anew. */
export function redraw() {
  if (state) for (const draw of watchers) draw(state);
}

function show(told, asked) {
  if (told.session_id !== kept.session) return;
  // An answer that was on its way while something newer came.
  const isOld = told.version < state?.version || asked < newest;
  if (told.session_id === state?.session_id && isOld) return;
  newest = asked;
  state = told;
  redraw();
}

/** Whether something that was moved waits for its turn. */
export function isMoving() {
  return Object.keys(state?.moving ?? {}).length > 0;
}

/** Look at once. */
export function lookNow() {
  asking?.();
}

/** Until it is time to look again, or somebody wants it now. */
export function timeToLook(waitMs) {
  return new Promise((resolve) => {
    asking = resolve;
    setTimeout(resolve, waitMs);
  });
}

const found = new Map();

/** What is worked out on the server, once it is there; asked for once. */
export function workedOut(path) {
  if (!found.has(path)) {
    found.set(path, poll(path).catch((error) => ({ status: "failed", error })));
  }
  return found.get(path);
}

/** Whether that was asked for already. */
export function isAskedFor(path) {
  return found.has(path);
}

async function poll(path) {
  for (;;) {
    const answer = await get(path);
    if (answer.status !== "working") return answer;
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}
