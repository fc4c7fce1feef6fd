// The film: exported, played, compared with what the camera heard, downloaded.

import { $, keepingFocus, size } from "./dom.js";
import { kept, post } from "./server.js";
import { attempt, isMoving, lookNow, refresh, state, watch, workedOut } from "./session.js";
import { say } from "./strings.js";
import { soundPath, waves } from "./sync.js";
import { clipsOf, momentOf } from "./timeline.js";

let waitsToExport = false;
let before = null;

watch(showRender);

/** Whether something is being rendered. */
export function isRendering(render) {
  return ["pending", "processing"].includes(render?.status);
}

function showRender() {
  const render = state.renders.at(-1);
  const busy = isRendering(render);
  const made = state.renders.findLast((one) => one.status === "completed");
  keepingFocus(() => {
    $("render").disabled = !state.exportable || busy || waitsToExport;
    $("cancel").hidden = !busy;
    $("made").hidden = !made;
  }, $("cancel"), $("render"), $("export"));
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
  if (made && $("video").dataset.id !== made.taskId) {
    $("video").dataset.id = made.taskId;
    $("video").src = made.output.url;
    $("download").href = made.output.url;
    $("download").download = `${(state.files[0]?.filename ?? "avpipe").replace(/\.[^.]*$/, "")}.mp4`;
  }
  $("compare").hidden = !state.files.some((file) => file.file_type === "video");
}

/** Done when what was moved is on the timeline. */
async function moved() {
  waitsToExport = true;
  showRender();
  try {
    await waves.settle();
    while (isMoving()) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await refresh();
    }
  } finally {
    waitsToExport = false;
  }
}

async function hearBefore() {
  const video = state.files.find((file) => file.file_type === "video");
  const sound = await workedOut(soundPath(video));
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

$("render").addEventListener("click", () => attempt(async () => {
  try {
    await moved();
    await post("/api/render/proxy/lambda", {
      id: `render_${Date.now()}_${Math.floor(Math.random() * 1e9)}`, sessionId: kept.session,
      draft: state.draft, output: { format: "mp4", quality: "high" },
    });
  } finally {
    await refresh();
  }
  lookNow();
}));
$("cancel").addEventListener("click", () => attempt(async () => {
  await post(`/api/render/proxy/lambda/${state.renders.at(-1).taskId}/cancel`);
  await refresh();
}));
for (const input of document.querySelectorAll("[name=heard]")) {
  input.addEventListener("change", () => void hearBefore());
}
for (const name of ["play", "pause", "seeked", "timeupdate"]) {
  $("video").addEventListener(name, followFilm);
}
