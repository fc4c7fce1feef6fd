// Sound and picture beside each other: what was found, and where the recording lies.

import { $, oneDecimal } from "./dom.js";
import { kept, post } from "./server.js";
import { attempt, isAskedFor, showAnswer, state, watch, workedOut } from "./session.js";
import { say } from "./strings.js";
import { pairOf, placeOf } from "./timeline.js";
import { Waves } from "./waves.js";

export const waves = new Waves((shift) => attempt(async () => {
  const pair = pairOf(state);
  showAnswer(await post(`/api/page/${kept.session}/place`,
    { file: pair.audio.file_id, shift_s: shift / waves.place.pace }));
  return true;
}));

/** A file's sound: its outline, and where it is heard. */
export function soundPath(file) {
  return `/api/page/${kept.session}/sound/${file.file_id}`;
}

watch(() => void showSync());

async function showSync() {
  const pair = pairOf(state);
  $("sync").hidden = !pair;
  if (!pair) return;
  const { video, audio } = pair;
  const paths = [video, audio].map(soundPath);
  if (!paths.every(isAskedFor)) $("verdict").textContent = say.reading;
  const path = `/api/page/${kept.session}/alignment?video=${video.file_id}&audio=${audio.file_id}`;
  const [camera, recorder] = await Promise.all(paths.map(workedOut));
  const place = placeOf(pair);
  waves.movable = Boolean(place);
  $("lane").setAttribute("aria-disabled", String(!place));
  for (const part of document.querySelectorAll("[data-nudge]")) part.disabled = !place;
  $("nudge-hint").hidden = !place;
  const draw = (where) => {
    if (camera.status === "ready" && recorder.status === "ready") waves.show(camera, recorder, where);
  };
  if (place) draw(place);
  if (!isAskedFor(path)) $("verdict").textContent = say.comparing;
  const found = await workedOut(path);
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
