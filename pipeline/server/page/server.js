// How the page speaks with the server: the token, requests, uploads, the agent's stream.

import { reason } from "./strings.js";

const headers = {
  "X-Skill-Source": "avpipe-page", "X-Skill-Version": "1", "X-Skill-Platform": "web",
};

export class Refused extends Error {
  constructor(status, code, message) {
    super(reason(code, message));
    this.status = status;
    this.code = code;
  }
}

/** What is kept between visits. */
export const kept = {
  get token() { return localStorage.getItem("token"); },
  set token(value) {
    if (value === null) localStorage.removeItem("token");
    else localStorage.setItem("token", value);
  },
  get session() { return localStorage.getItem("session"); },
  set session(value) {
    if (value === null) localStorage.removeItem("session");
    else localStorage.setItem("session", value);
  },
  get client() {
    let id = localStorage.getItem("client");
    if (!id) {
      id = Array.from(crypto.getRandomValues(new Uint8Array(16)),
        (byte) => byte.toString(16).padStart(2, "0")).join("");
      localStorage.setItem("client", id);
    }
    return id;
  },
};

async function answerOf(response) {
  let form = null;
  try {
    form = await response.json();
  } catch {
    throw new Refused(response.status, response.status, response.statusText);
  }
  if (!response.ok) throw new Refused(response.status, form.code, form.message);
  return form.data ?? form;
}

/** Get a token, where there is none. */
export async function connect() {
  const claim = new URLSearchParams(location.search).get("ct");
  if (claim) {
    history.replaceState(null, "", "/");
    const found = await post("/api/auth/exchange-claim-token", { claim_token: claim });
    kept.token = found.token;
    kept.session = found.session_id;
  }
  if (!kept.token) await renew();
}

export async function renew() {
  const response = await fetch("/api/auth/anonymous-token",
    { method: "POST", headers: { ...headers, "X-Client-Id": kept.client } });
  kept.token = (await answerOf(response)).token;
}

function authorised() {
  return kept.token ? { ...headers, Authorization: `Bearer ${kept.token}` } : headers;
}

export async function get(path) {
  return answerOf(await fetch(path, { headers: authorised() }));
}

export async function post(path, body = {}) {
  return answerOf(await fetch(path, {
    method: "POST",
    headers: { ...authorised(), "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }));
}

/** Send a file; `told` hears how much of it has gone, from 0 to 1. */
export function upload(session, file, told) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/upload-video/nemo_agent/me/${session}`);
    for (const [name, value] of Object.entries(authorised())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => told(event.loaded / event.total);
    request.onerror = () => reject(new Refused(0, 0, ""));
    request.onload = () => {
      let form = {};
      try { form = JSON.parse(request.responseText); } catch { /* told by the status */ }
      if (request.status === 200) resolve(form.data.files);
      else reject(new Refused(request.status, form.code, form.message ?? request.statusText));
    };
    const body = new FormData();
    body.append("files", file);
    request.send(body);
  });
}

/** Tell the agent something; gives each text that it says. */
export async function* message(session, text) {
  const response = await fetch("/run_sse", {
    method: "POST",
    headers: { ...authorised(), "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({
      app_name: "nemo_agent", user_id: "me", session_id: session,
      new_message: { parts: [{ text }] },
    }),
  });
  if (!response.ok) await answerOf(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    const events = rest.split("\n\n");
    rest = events.pop();
    for (const event of events) {
      if (!event.startsWith("data: ")) continue;
      const form = JSON.parse(event.slice(6));
      if (form.type === "error") throw new Refused(200, form.code, form.message);
      yield form;
    }
  }
}

/** A stretch of a 16-bit mono WAV, as samples; silence where it has none. */
export async function samples(url, rate, from, count) {
  const first = Math.max(from, 0);
  const last = from + count;
  const found = new Float32Array(count);
  if (last <= first) return found;
  const response = await fetch(url, { headers: { Range: `bytes=${44 + first * 2}-${43 + last * 2}` } });
  if (response.status !== 206) return found;
  const data = new DataView(await response.arrayBuffer());
  for (let n = 0; n < Math.floor(data.byteLength / 2); n += 1) {
    found[first - from + n] = data.getInt16(n * 2, true) / 32768;
  }
  return found;
}
