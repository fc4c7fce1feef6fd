// The two wave forms, lined up; the recording is moved by hand, and heard at once.

import { oneDecimal } from "./dom.js";
import { samples } from "./server.js";
import { say } from "./strings.js";

const RATE = 16000;
const HEARD_S = 6;
/** How far a key moves the recording, in hundredths of a second. */
const STEPS = {
  ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10,
};

export class Waves {
  /** `moved(shift_s)` is told how far the user has moved the recording, once it rests.

      It gives whether that was taken.
   */
  constructor(moved) {
    this.lane = document.getElementById("lane");
    this.canvas = document.getElementById("waves");
    this.where = document.getElementById("where");
    this.button = document.getElementById("preview");
    this.offsetText = document.getElementById("offset");
    this.moved = moved;
    this.shownS = 30;
    this.cursorS = 0;
    this.movable = false;
    this.shift = 0; // moved, and not told
    this.sent = 0; // told, and not answered
    this.waiting = null;
    this.telling = null;
    this.playing = null;
    this.take = 0;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.lane);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Show a pair: outlines with `url`, and the place of the recording. */
  show(camera, recorder, place) {
    const changed = this.recorder?.url !== recorder.url || this.camera?.url !== camera.url;
    this.camera = camera;
    this.recorder = recorder;
    if (changed) {
      this.shownS = Math.min(30, this.lengthS());
      this.buffers = null;
    }
    if (changed || (!this.shift && !this.sent && !this.dragging)) this.place = place;
    this.draw();
  }

  lengthS() {
    const camera = this.camera.start_s + this.camera.duration_s;
    return Math.max(camera, 1);
  }

  offset() { return this.place.offset_s + this.sent + this.shift; }

  listen() {
    for (const button of document.querySelectorAll("[data-nudge]")) {
      button.addEventListener("click", () => this.nudge(Number(button.dataset.nudge) / 1000));
    }
    this.lane.addEventListener("keydown", (event) => {
      const steps = STEPS[event.key];
      if (steps) {
        event.preventDefault();
        this.nudge(steps * (event.shiftKey ? 0.001 : event.altKey ? 0.1 : 0.01));
      } else if (event.key === " " || event.key === "Enter") {
        event.preventDefault();
        this.toggle();
      }
    });
    this.lane.addEventListener("pointerdown", (event) => {
      if (!this.place || !this.movable) return;
      this.dragging = { x: event.clientX, offset: this.offset() };
      this.lane.setPointerCapture(event.pointerId);
    });
    this.lane.addEventListener("pointermove", (event) => {
      if (!this.dragging) return;
      const perS = this.lane.clientWidth / this.shownS;
      const offset = this.dragging.offset + (event.clientX - this.dragging.x) / perS;
      this.shift = offset - this.place.offset_s - this.sent;
      this.draw();
    });
    const drop = () => {
      if (!this.dragging) return;
      this.dragging = null;
      if (this.shift) this.rest();
    };
    this.lane.addEventListener("pointerup", drop);
    this.lane.addEventListener("pointercancel", drop);
    this.where.addEventListener("input", () => {
      this.cursorS = (this.where.value / 1000) * this.lengthS();
      this.buffers = null;
      this.draw();
      if (this.playing) this.play();
    });
    document.getElementById("zoom-in").addEventListener("click", () => this.zoom(0.5));
    document.getElementById("zoom-out").addEventListener("click", () => this.zoom(2));
    this.button.addEventListener("click", () => this.toggle());
  }

  zoom(factor) {
    if (!this.camera) return;
    this.shownS = Math.min(Math.max(this.shownS * factor, 0.25), this.lengthS());
    this.draw();
  }

  nudge(byS) {
    if (!this.place || !this.movable) return;
    this.shift = Math.round((this.shift + byS) * 1e6) / 1e6;
    this.draw();
    this.rest();
  }

  /** It was moved: heard at once, and told when nothing more comes for a moment. */
  rest() {
    if (this.playing) this.play();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.settle(), 500);
  }

  /** Tell now what was moved; done when that is answered. */
  async settle() {
    clearTimeout(this.waiting);
    while (this.telling) await this.telling; // one after the other
    if (!this.shift) return;
    [this.sent, this.shift] = [this.shift, 0];
    this.telling = this.tell();
    await this.telling;
  }

  async tell() {
    const taken = await this.moved(this.sent);
    if (taken) this.place = { ...this.place, offset_s: this.place.offset_s + this.sent };
    this.sent = 0;
    this.telling = null;
    this.draw();
  }

  draw() {
    if (!this.camera || !this.place) return;
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.lane;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const from = Math.max(Math.min(this.cursorS, this.lengthS() - this.shownS), 0);
    const half = height / 2;
    this.drawOne(pen, this.camera, from, half * 0.5, half * 0.46, style.getPropertyValue("--camera"),
      (t) => t - this.camera.start_s);
    const { clock } = this.place;
    this.drawOne(pen, this.recorder, from, half * 1.5, half * 0.46, style.getPropertyValue("--recorder"),
      (t) => (t - this.offset()) * clock);
    pen.fillStyle = style.getPropertyValue("--line");
    pen.fillRect(0, half, width, 1);
    pen.fillStyle = style.getPropertyValue("--ink");
    const cursor = ((this.cursorS - from) / this.shownS) * width;
    pen.fillRect(cursor, 0, 1, height);
    const ms = oneDecimal(this.offset() * 1000);
    const text = say.offset(ms, oneDecimal((clock - 1) * 1e6));
    this.offsetText.textContent = text;
    this.lane.setAttribute("aria-valuenow", ms);
    this.lane.setAttribute("aria-valuetext", text);
  }

  drawOne(pen, outline, from, middle, reach, colour, timeOf) {
    const width = this.lane.clientWidth;
    const loudest = outline.loudest ??= Math.max(1, ...outline.high, ...outline.low.map((v) => -v));
    pen.fillStyle = colour;
    for (let x = 0; x < width; x += 1) {
      const begin = timeOf(from + (x / width) * this.shownS) / outline.step_s;
      const end = timeOf(from + ((x + 1) / width) * this.shownS) / outline.step_s;
      if (end < 0 || begin >= outline.high.length) continue;
      let [low, high] = [0, 0];
      const last = Math.min(Math.max(Math.ceil(end), Math.floor(begin) + 1), outline.high.length);
      for (let n = Math.max(Math.floor(begin), 0); n < last; n += 1) {
        low = Math.min(low, outline.low[n]);
        high = Math.max(high, outline.high[n]);
      }
      const top = middle - (high / loudest) * reach;
      pen.fillRect(x, top, 1, Math.max(((high - low) / loudest) * reach, 1));
    }
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  stop() {
    this.take += 1;
    for (const node of this.playing ?? []) node.stop();
    this.playing = null;
    this.button.textContent = say.listen;
  }

  /** Both sounds from the cursor on, the recording where it now is. */
  async play() {
    if (!this.place) return;
    this.context ??= new AudioContext();
    this.stop();
    const take = this.take;
    this.button.textContent = say.stop;
    this.playing = [];
    const atS = Math.min(this.cursorS, Math.max(this.lengthS() - HEARD_S, 0));
    const { clock } = this.place;
    this.buffers ??= {
      atS,
      camera: await this.buffer(this.camera, atS - this.camera.start_s, HEARD_S),
      recorderS: (atS - this.offset()) * clock - 2,
      recorder: await this.buffer(this.recorder, (atS - this.offset()) * clock - 2, HEARD_S + 4),
    };
    let ahead = (atS - this.offset()) * clock - this.buffers.recorderS;
    if (ahead < 0 || ahead > 4 || this.buffers.atS !== atS) { // moved out of what was fetched
      this.buffers = null;
      if (take === this.take) this.play();
      return;
    }
    if (take !== this.take) return;
    const start = this.context.currentTime + 0.02;
    this.playing = [
      this.begin(this.buffers.camera, -0.6, start, 0, HEARD_S),
      this.begin(this.buffers.recorder, 0.6, start, ahead, HEARD_S),
    ];
    this.playing[0].onended = () => { if (take === this.take) this.stop(); };
  }

  async buffer(outline, fromS, lengthS) {
    const buffer = this.context.createBuffer(1, Math.round(lengthS * RATE), RATE);
    buffer.copyToChannel(
      await samples(outline.url, RATE, Math.round(fromS * RATE), buffer.length), 0);
    return buffer;
  }

  begin(buffer, side, at, fromS, lengthS) {
    const node = this.context.createBufferSource();
    const pan = this.context.createStereoPanner();
    node.buffer = buffer;
    pan.pan.value = side;
    node.connect(pan).connect(this.context.destination);
    node.start(at, fromS, lengthS);
    return node;
  }
}
