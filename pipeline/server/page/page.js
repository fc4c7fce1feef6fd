// The page: who is here, and the session that is looked at again and again.

import { $ } from "./dom.js";
import { connect, kept, Refused, renew } from "./server.js";
import { attempt, isMoving, lookNow, makeSession, refresh, state, tell, timeToLook } from "./session.js";
import { say, translatePage } from "./strings.js";
import "./files.js";
import "./timeline.js";
import { waves } from "./sync.js";
import { isWorking } from "./talk.js";
import { isRendering } from "./result.js";

/** What had the keyboard when the token was asked for. */
let asker = null;

async function begin() {
  try {
    await connect();
    if (kept.session) await refresh();
    else await makeSession();
  } catch (error) {
    if (error instanceof Refused && error.code === 1001) await signIn();
    else if (error instanceof Refused && error.code === 1002) await makeSession();
    else tell(error.message || say.lost);
  }
}

async function signIn() {
  try {
    await renew();
    await makeSession();
  } catch {
    kept.token = null;
    if ($("signin").open) return;
    asker = document.activeElement === document.body ? null : document.activeElement;
    $("signin").showModal();
  }
}

/** Look again and again, faster while something is going on. */
async function follow() {
  for (;;) {
    const busy = isWorking() || isMoving() || state?.renders.some(isRendering);
    await timeToLook(document.hidden ? 10000 : busy ? 700 : 3000);
    if (!kept.session || !kept.token || $("signin").open) continue;
    try {
      await refresh();
      if ($("notice").textContent === say.lost) tell(null);
    } catch (error) {
      if (error instanceof Refused && (error.code === 1001 || error.code === 1002)) await begin();
      else tell(say.lost);
    }
  }
}

document.addEventListener("visibilitychange", lookNow);
$("new").addEventListener("click", () => attempt(async () => {
  if (!kept.token) {
    await signIn();
    return;
  }
  await waves.settle();
  await makeSession();
}));
$("signin-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  kept.token = $("token").value.trim();
  try {
    await makeSession();
    $("token").value = "";
    $("signin-bad").textContent = "";
    $("signin").close();
    tell(null);
  } catch (error) {
    kept.token = null;
    $("signin-bad").textContent = error.message || say.lost;
    $("token").select();
  }
});
$("signin").addEventListener("close", () => {
  if (!kept.token) tell(say.signInLater);
  (asker ?? $(kept.token ? "main" : "new")).focus();
});

translatePage();
await begin();
await follow();
