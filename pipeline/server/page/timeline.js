// The timeline as tracks, and what lies where on it.

import { $, element, seconds } from "./dom.js";
import { state, watch } from "./session.js";
import { say } from "./strings.js";

/** The video and the recording that are compared. */
export function pairOf(told) {
  const video = told.files.find((file) => file.file_type === "video");
  const audios = told.files.filter((file) => file.file_type === "audio");
  const audio = audios.find(isPlaced) ?? audios[0];
  return video && audio ? { video, audio } : null;
}

/** The clips of a file on the tracks of one kind. */
export function clipsOf(tracks, kind, file) {
  return tracks.filter((track) => track.kind === kind).flatMap((track) => track.clips)
    .filter((clip) => clip.source === file.file_id);
}

export function isPlaced(audio) {
  return clipsOf(state.tracks, "audio", audio).length > 0;
}

/** Which moment of its file a clip shows at a time of the timeline. */
export function momentOf(clip, at) {
  return clip.source_in + (at - clip.start) * clip.clock;
}

/** Where the recording lies, or will, in the camera's own time, whatever was cut; null without it. */
export function placeOf({ video, audio }) {
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

let shown = null;

watch((told) => {
  const now = `${told.session_id} ${told.version}`;
  if (now === shown) return;
  shown = now;
  $("timeline").hidden = told.tracks.length === 0;
  $("summary").textContent = told.summary;
  $("tracks").replaceChildren(...told.tracks.map(row));
});

function row(track) {
  const made = element("li");
  const strip = element("div", "strip");
  for (const clip of track.clips) {
    const block = element("div", `clip ${track.kind}`, clip.name || say.empty);
    const whole = state.duration || 1;
    block.style.left = `${(clip.start / whole) * 100}%`;
    block.style.width = `${((clip.end - clip.start) / whole) * 100}%`;
    block.title = `${clip.name} ${seconds(clip.start)}–${seconds(clip.end)}`;
    strip.append(block);
  }
  made.append(element("span", "track-name", say[track.kind]), strip);
  return made;
}
