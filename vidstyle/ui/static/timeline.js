// The scrubber: a strip of thumbnails, a playhead that steps by frames, and the range to render.

import { thumbnailAddress } from "./api.js";

const $ = (id) => document.getElementById(id);

export class Timeline {
  // onMove(isSettled) is called while and after the playhead moves.
  constructor(onMove) {
    this.onMove = onMove;
    this.input = $("at");
    this.clip = null;
    this.input.addEventListener("input", () => this.moved(false));
    this.input.addEventListener("change", () => this.moved(true));
    $("back").addEventListener("click", () => this.step(-1));
    $("forward").addEventListener("click", () => this.step(1));
    let waiting = 0;
    new ResizeObserver(() => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.drawStrip(), 250);
    }).observe($("thumbs"));
  }

  open(clip) {
    this.clip = clip;
    this.numFrames = Math.max(1, Math.round(clip.seconds * clip.rate));
    this.input.max = String(this.numFrames - 1);
    this.input.value = String(Math.floor(this.numFrames / 3));
    this.drawn = 0;
    this.started = new Promise((resolve) => { this.start = resolve; });
    this.drawStrip();
    this.write();
  }

  // The middle of the frame, so that rounding never falls into the one before.
  seconds() { return this.clip ? (Number(this.input.value) + 0.5) / this.clip.rate : 0; }

  // Where the frame begins: what a start or an end is set to.
  frameStart() { return this.clip ? Number(this.input.value) / this.clip.rate : 0; }

  step(frames) {
    if (!this.clip) return;
    const next = Number(this.input.value) + frames;
    this.input.value = String(Math.min(this.numFrames - 1, Math.max(0, next)));
    this.moved(true);
  }

  moved(isSettled) {
    this.write();
    this.onMove(isSettled);
  }

  write() {
    const frame = Number(this.input.value);
    $("time").textContent = `${(frame / this.clip.rate).toFixed(2)} s · frame ${frame}`;
    this.input.setAttribute("aria-valuetext", `${(frame / this.clip.rate).toFixed(2)} seconds`);
    this.input.style.setProperty("--at", String(this.numFrames > 1 ? frame / (this.numFrames - 1) : 0));
  }

  showRange(start, end) {
    for (const [id, value, side] of [["range-start", start, "left"], ["range-end", end, "right"]]) {
      const shown = typeof value === "number" && this.clip;
      $(id).hidden = !shown;
      if (!shown) continue;
      const share = Math.min(1, Math.max(0, value / this.clip.seconds));
      $(id).style.setProperty("width", `${100 * (side === "left" ? share : 1 - share)}%`);
    }
  }

  drawStrip() {
    if (!this.clip) return;
    const box = $("thumbs");
    const height = box.clientHeight || 56;
    const width = Math.max(24, (height * this.clip.width) / this.clip.height);
    const count = Math.max(1, Math.min(24, this.numFrames, Math.ceil(box.clientWidth / width)));
    if (count === this.drawn) return;
    this.drawn = count;
    const pixels = Math.round(height * Math.min(2, window.devicePixelRatio || 1));
    const images = Array.from({ length: count }, () => new Image());
    for (const image of images) {
      image.alt = "";
      image.draggable = false;
    }
    box.replaceChildren(...images);
    this.fillStrip(images, pixels);
  }

  // One after the other, and not before the picture itself is there: decoding takes the processor from painting.
  async fillStrip(images, pixels) {
    const clip = this.clip;
    await this.started;
    for (const [index, image] of images.entries()) {
      if (!image.isConnected || clip !== this.clip) return;
      image.src = thumbnailAddress(clip.path, ((index + 0.5) * clip.seconds / images.length).toFixed(3), pixels);
      await image.decode().then(() => image.classList.add("filled"), () => {});
    }
  }

  handleKey(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !this.clip) return false;
    this.step(by * (event.shiftKey ? Math.max(1, Math.round(this.clip.rate)) : 1));
    return true;
  }
}
