// The page: what the server tells of the session is shown; what the user does is told the server.

import { language, say, translatePage } from "./strings.js";
import { connect, get, kept, message, post, Refused, renew, upload } from "./server.js";
import { oneDecimal, Waves } from "./waves.js";

const $ = (id) => document.getElementById(id);
const sending = new Map();
let state = null;
let shown = "";
let asks = 0;
let newest = 0;
let talking = 0;
let waitsToExport = false;
let asking = null;
let before = null;
const sounds = new Map();
const alignments = new Map();

const waves = new Waves((shift) => attempt(async () => {
  const pair = pairOf(state);
  const told = await post(`/api/page/${kept.session}/place`,
    { file: pair.audio.file_id, shift_s: shift / waves.place.pace });
  show(told, ++asks);
  return true;
}));

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function size(bytes) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (bytes < 1000 || unit === "GB") return `${bytes.toFixed(unit === "B" ? 0 : 1)} ${unit}`;
    bytes /= 1000;
  }
}

function seconds(value) {
  if (value === null || value === undefined) return "";
  const minutes = Math.floor(value / 60);
  return `${minutes}:${(value - minutes * 60).toFixed(1).padStart(4, "0")}`;
}

function tell(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text ?? "";
}

/** Do something; what goes wrong is told. */
async function attempt(work) {
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
    $("signin").showModal();
  }
}

async function makeSession() {
  const made = await post("/api/tasks/me/with-session/nemo_agent",
    { task_name: "project", language });
  kept.session = made.session_id;
  shown = "";
  await refresh();
}

async function refresh() {
  const asked = ++asks;
  show(await get(`/api/page/${kept.session}`), asked);
  const balance = await get("/api/credits/balance/simple");
  $("credits").textContent = say.credits(balance.available);
}

/** Look again and again, faster while something is going on. */
async function follow() {
  for (;;) {
    const busy = isWorking() || isMoving()
      || state?.renders.some((render) => ["pending", "processing"].includes(render.status));
    await new Promise((resolve) => {
      asking = resolve;
      setTimeout(resolve, document.hidden ? 10000 : busy ? 700 : 3000);
    });
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

/** Whether the agent works on a sentence, of this tab or of another one. */
function isWorking() {
  return talking > 0 || Boolean(state?.working);
}

/** Whether something that was moved waits for its turn. */
function isMoving() {
  return Object.keys(state?.moving ?? {}).length > 0;
}

function show(told, asked = newest) {
  if (told.session_id !== kept.session) return;
  // An answer that was on its way while something newer came.
  const isOld = told.version < state?.version || asked < newest;
  if (told.session_id === state?.session_id && isOld) return;
  newest = asked;
  state = told;
  showFiles();
  const now = JSON.stringify([told.version, told.said.length, told.files.length, isWorking()]);
  if (now !== shown) {
    shown = now;
    showTracks();
    showTalk();
  }
  showRender();
  void showSync();
}

function showFiles() {
  const list = $("file-list");
  const rows = state.files.map((file) => {
    const row = element("li");
    const facts = [say[file.file_type], seconds(file.duration),
      file.width ? `${file.width}×${file.height}` : "", size(file.size)].filter(Boolean);
    row.append(element("span", "name", file.filename), element("span", "facts", facts.join(" · ")));
    return row;
  });
  for (const one of sending.values()) {
    const row = element("li");
    row.append(element("span", "name", one.name));
    if (one.error) row.append(element("span", "bad", one.error));
    else {
      const done = Math.floor(one.done * 100);
      row.append(element("span", "facts", done < 100 ? say.uploading(done) : say.checking));
      const bar = element("progress");
      bar.max = 100;
      bar.value = done;
      bar.setAttribute("aria-label", one.name);
      row.append(bar);
    }
    rows.push(row);
  }
  list.replaceChildren(...rows);
  const pair = pairOf(state);
  $("merge").hidden = !pair || isPlaced(pair.audio) || isWorking();
}

/** The video and the recording that are compared. */
function pairOf(told) {
  const video = told.files.find((file) => file.file_type === "video");
  const audios = told.files.filter((file) => file.file_type === "audio");
  const audio = audios.find(isPlaced) ?? audios[0];
  return video && audio ? { video, audio } : null;
}

/** The clips of a file on the tracks of one kind. */
function clipsOf(tracks, kind, file) {
  return tracks.filter((track) => track.kind === kind).flatMap((track) => track.clips)
    .filter((clip) => clip.source === file.file_id);
}

function isPlaced(audio) {
  return clipsOf(state.tracks, "audio", audio).length > 0;
}

/** Which moment of its file a clip shows at a time of the timeline. */
function momentOf(clip, at) {
  return clip.source_in + (at - clip.start) * clip.clock;
}

/** Where the recording lies, or will, in the camera's own time, whatever was cut; null without it. */
function placeOf({ video, audio }) {
  const sounds = clipsOf(state.tracks, "audio", audio);
  if (!sounds.length) return null;
  const whole = { start: 0, end: Infinity, source_in: 0, clock: 1 };
  const pictures = [...clipsOf(state.tracks, "video", video), whole];
  const met = (sound) => pictures.find((one) => one.start < sound.end && sound.start < one.end);
  const sound = sounds.find((one) => met(one) !== whole) ?? sounds[0];
  const picture = met(sound);
  const at = Math.max(sound.start, picture.start);
  const clock = sound.clock / picture.clock;
  const waiting = (state.moving[audio.file_id] ?? 0) * picture.clock;
  const offset = momentOf(picture, at) - momentOf(sound, at) / clock + waiting;
  return { offset_s: offset, clock, pace: picture.clock };
}

function showTracks() {
  $("timeline").hidden = state.tracks.length === 0;
  $("summary").textContent = state.summary;
  $("tracks").replaceChildren(...state.tracks.map((track) => {
    const row = element("li");
    const strip = element("div", "strip");
    for (const clip of track.clips) {
      const block = element("div", `clip ${track.kind}`, clip.name || say.empty);
      const whole = state.duration || 1;
      block.style.left = `${(clip.start / whole) * 100}%`;
      block.style.width = `${((clip.end - clip.start) / whole) * 100}%`;
      block.title = `${clip.name} ${seconds(clip.start)}–${seconds(clip.end)}`;
      strip.append(block);
    }
    row.append(element("span", "track-name", say[track.kind]), strip);
    return row;
  }));
}

function showTalk() {
  const lines = state.said.map((line) => element("p", line.role, line.text));
  if (isWorking()) lines.push(element("p", "agent", say.working));
  $("said").replaceChildren(...lines);
  $("said").hidden = lines.length === 0;
  $("said").scrollTop = $("said").scrollHeight;
}

async function poll(path) {
  for (;;) {
    const found = await get(path);
    if (found.status !== "working") return found;
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

function once(map, key, path) {
  if (!map.has(key)) map.set(key, poll(path).catch((error) => ({ status: "failed", error })));
  return map.get(key);
}

async function showSync() {
  const pair = pairOf(state);
  $("sync").hidden = !pair;
  if (!pair) return;
  const here = `/api/page/${kept.session}`;
  const { video, audio } = pair;
  if (!sounds.has(video.file_id) || !sounds.has(audio.file_id)) $("verdict").textContent = say.reading;
  const [camera, recorder] = await Promise.all([video, audio].map((file) =>
    once(sounds, file.file_id, `${here}/sound/${file.file_id}`)));
  const place = placeOf(pair);
  waves.movable = Boolean(place);
  $("lane").setAttribute("aria-disabled", String(!place));
  for (const part of document.querySelectorAll("[data-nudge]")) part.disabled = !place;
  $("nudge-hint").hidden = !place;
  const draw = (where) => {
    if (camera.status === "ready" && recorder.status === "ready") waves.show(camera, recorder, where);
  };
  if (place) draw(place);
  const key = `${video.file_id} ${audio.file_id}`;
  if (!alignments.has(key)) $("verdict").textContent = say.comparing;
  const found = await once(alignments, key,
    `${here}/alignment?video=${video.file_id}&audio=${audio.file_id}`);
  if (!placeOf(pair)) {
    const matched = found.verdict === "matched";
    draw({ offset_s: matched ? found.offset_s : 0, pace: 1,
      clock: matched ? 1 + found.drift_ppm / 1e6 : 1 });
  }
  const verdicts = {
    matched: () => say.matched(oneDecimal(found.offset_s * 1000), oneDecimal(found.drift_ppm),
      Math.min(99.9, Math.round(found.confidence * 1000) / 10)),
    uncertain: () => say.uncertain,
    unrelated: () => say.unrelated,
  };
  $("verdict").textContent = verdicts[found.verdict]?.() ?? found.error?.message ?? "";
}

function showRender() {
  const render = state.renders.at(-1);
  const busy = render && ["pending", "processing"].includes(render.status);
  $("render").disabled = !state.exportable || Boolean(busy) || waitsToExport;
  $("cancel").hidden = !busy;
  $("progress").hidden = !busy;
  $("progress").value = render?.progress ?? 0;
  const words = {
    pending: () => say.pending(render.queuePosition),
    processing: () => say.processing(render.progress),
    failed: () => (render.error === "cancelled" ? say.cancelled : say.failed(render.error)),
    completed: () => say.completed(render.output.duration.toFixed(1), size(render.output.size)),
  };
  const said = render ? words[render.status]() : "";
  $("render-state").textContent = waitsToExport ? say.waits : said;
  const made = state.renders.findLast((one) => one.status === "completed");
  $("made").hidden = !made;
  if (made && $("video").dataset.id !== made.taskId) {
    $("video").dataset.id = made.taskId;
    $("video").src = made.output.url;
    $("download").href = made.output.url;
    $("download").download = `${(state.files[0]?.filename ?? "avpipe").replace(/\.[^.]*$/, "")}.mp4`;
  }
  $("compare").hidden = !state.files.some((file) => file.file_type === "video");
}

async function send(files) {
  if (!state) return;
  for (const file of files) {
    const one = { name: file.name, done: 0 };
    sending.set(one, one);
    showFiles();
    try {
      await upload(kept.session, file, (done) => { one.done = done; showFiles(); });
      sending.delete(one);
    } catch (error) {
      one.error = error.message || say.lost;
      setTimeout(() => { sending.delete(one); showFiles(); }, 15000);
    }
    await attempt(refresh);
  }
}

/** Done when what was moved is on the timeline. */
async function moved() {
  waitsToExport = true;
  try {
    await waves.settle();
    while (isMoving()) {
      showRender();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await refresh();
    }
  } finally {
    waitsToExport = false;
    showRender();
  }
}

/** Say a sentence; gives whether it was taken. */
async function speak(text) {
  talking += 1;
  show(state);
  return attempt(async () => {
    try {
      await waves.settle();
      for await (const event of message(kept.session, text)) {
        if (event.type !== "heartbeat") asking?.();
      }
    } finally {
      talking -= 1;
      await refresh();
    }
    return true;
  });
}

async function hearBefore() {
  const video = state.files.find((file) => file.file_type === "video");
  const sound = await once(sounds, video.file_id,
    `/api/page/${kept.session}/sound/${video.file_id}`);
  if (sound.status === "ready") {
    before ??= new Audio();
    if (before.src !== sound.url) before.src = sound.url;
    before.startS = sound.start_s;
    before.video = video;
  }
  followFilm();
}

/** Keep the camera's own sound beside the picture, as that was cut when the film was made. */
function followFilm() {
  const film = $("video");
  const isBefore = document.querySelector("[name=heard]:checked").value === "before";
  film.muted = isBefore;
  if (!before) return;
  const made = state.renders.find((one) => one.taskId === film.dataset.id);
  const clip = clipsOf(made?.tracks ?? [], "video", before.video)
    .find((one) => one.start <= film.currentTime && film.currentTime < one.end);
  if (!isBefore || film.paused || !clip) {
    before.pause();
    return;
  }
  const at = momentOf(clip, film.currentTime) - before.startS;
  before.playbackRate = Math.min(Math.max(clip.clock, 0.25), 4);
  if (Math.abs(before.currentTime - at) > 0.15 && at >= 0) before.currentTime = at;
  void before.play().catch(() => {});
}

function listen() {
  $("pick").addEventListener("change", () => {
    void send([...$("pick").files]);
    $("pick").value = "";
  });
  for (const name of ["dragenter", "dragover"]) {
    addEventListener(name, (event) => {
      event.preventDefault();
      document.body.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    addEventListener(name, (event) => {
      event.preventDefault();
      if (name === "drop" || !event.relatedTarget) document.body.classList.remove("over");
    });
  }
  addEventListener("drop", (event) => void send([...event.dataTransfer.files]));
  addEventListener("beforeunload", (event) => {
    if ([...sending.values()].some((one) => !one.error)) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => asking?.());
  $("merge").addEventListener("click", () => {
    const { video, audio } = pairOf(state);
    void speak(say.mergeSentence(audio.filename, video.filename));
  });
  $("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("sentence").value.trim();
    if (!text) return;
    $("sentence").value = "";
    void speak(text).then((taken) => { if (!taken) $("sentence").value ||= text; });
  });
  $("render").addEventListener("click", () => attempt(async () => {
    $("render").disabled = true;
    await moved();
    await post("/api/render/proxy/lambda", {
      id: `render_${Date.now()}_${Math.floor(Math.random() * 1e9)}`, sessionId: kept.session,
      draft: state.draft, output: { format: "mp4", quality: "high" },
    });
    await refresh();
    asking?.();
  }));
  $("cancel").addEventListener("click", () => attempt(async () => {
    await post(`/api/render/proxy/lambda/${state.renders.at(-1).taskId}/cancel`);
    await refresh();
  }));
  $("new").addEventListener("click", () => attempt(async () => {
    await waves.settle();
    await makeSession();
  }));
  $("signin-form").addEventListener("submit", (event) => {
    event.preventDefault();
    kept.token = $("token").value.trim();
    $("token").value = "";
    $("signin").close();
    void attempt(makeSession);
  });
  for (const input of document.querySelectorAll("[name=heard]")) {
    input.addEventListener("change", () => void hearBefore());
  }
  for (const name of ["play", "pause", "seeked", "timeupdate"]) {
    $("video").addEventListener(name, followFilm);
  }
}

translatePage();
listen();
await begin();
await follow();
