// The conversation with the agent.

import { $, element, keepingFocus } from "./dom.js";
import { kept, message } from "./server.js";
import { attempt, lookNow, redraw, refresh, state, watch } from "./session.js";
import { say } from "./strings.js";
import { waves } from "./sync.js";
import { isPlaced, pairOf } from "./timeline.js";

let talking = 0;
let shown = "";

/** Whether the agent works on a sentence, of this tab or of another one. */
export function isWorking() {
  return talking > 0 || Boolean(state?.working);
}

watch((told) => {
  const pair = pairOf(told);
  keepingFocus(() => {
    $("merge").hidden = !pair || isPlaced(pair.audio);
    $("merge").disabled = isWorking();
  }, $("merge"), $("lane"));
  const now = JSON.stringify([told.session_id, told.said.length, isWorking()]);
  if (now === shown) return;
  shown = now;
  const lines = told.said.map((line) => element("p", line.role, line.text));
  if (isWorking()) lines.push(element("p", "agent", say.working));
  $("said").replaceChildren(...lines);
  $("said").hidden = lines.length === 0;
  $("said").scrollTop = $("said").scrollHeight;
});

/** Say a sentence; gives whether it was taken. */
async function speak(text) {
  talking += 1;
  redraw();
  return attempt(async () => {
    try {
      await waves.settle();
      for await (const event of message(kept.session, text)) {
        if (event.type !== "heartbeat") lookNow();
      }
    } finally {
      talking -= 1;
      await refresh();
    }
    return true;
  });
}

$("merge").addEventListener("click", () => {
  void speak(say.mergeSentence(pairOf(state).audio.filename));
});
$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("sentence").value.trim();
  if (!text) return;
  $("sentence").value = "";
  void speak(text).then((taken) => { if (!taken) $("sentence").value ||= text; });
});
