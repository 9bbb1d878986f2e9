// The full render: its progress, and the result played beside the source.

import { cancelRender, mediaAddress, renderEvents } from "./api.js";

const $ = (id) => document.getElementById(id);
const duration = (seconds) => (seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`);
const PATIENCE_MS = 5000;

// Settles when a video can begin where it was told to, or never will.
const ready = (video) => new Promise((resolve) => {
  const over = new AbortController();
  const end = () => { over.abort(); resolve(); };
  const look = () => { if (video.error || (video.readyState > 2 && !video.seeking)) end(); };
  for (const name of ["canplay", "seeked", "error"]) video.addEventListener(name, look, { signal: over.signal });
  setTimeout(end, PATIENCE_MS);
  look();
});

const fileName = (path) => path.split(/[\\/]/).pop();

export class Render {
  // onPlay(isPlaying) is called when the players take the preview's place and when they give it back.
  constructor({ onPlay, onEnd }) {
    this.onPlay = onPlay;
    this.onEnd = onEnd;
    this.number = null;
    $("job-cancel").addEventListener("click", () => { $("job-cancel").disabled = true; cancelRender(this.number).catch(() => {}); });
    $("job-close").addEventListener("click", () => { $("job").hidden = true; });
    $("job-play").addEventListener("click", () => this.play());
    $("play-close").addEventListener("click", () => this.closePlayers());
    $("play").addEventListener("click", () => this.toggle());
    this.wirePlayers();
  }

  get isRunning() { return $("job").dataset.status === "running"; }
  get isPlaying() { return !$("playback").hidden; }

  follow(state) {
    this.number = state.number;
    this.events?.close();
    this.events = renderEvents(state.number);
    this.events.onmessage = (event) => this.show(JSON.parse(event.data));
    this.show(state);
  }

  show(state) {
    const final = state.status !== "running";
    this.output = state.output;
    this.clip = state.source;
    this.start = state.start_seconds;
    $("job").hidden = false;
    $("job").dataset.status = state.status;
    $("job-title").textContent = {
      running: `Rendering ${fileName(state.output)}`,
      done: `${fileName(state.output)} is ready`,
      failed: "The render failed",
      cancelled: "Cancelled; nothing was left behind",
    }[state.status];
    const total = state.expected ? ` of ${state.expected}` : "";
    const left = state.remaining_seconds === null ? "" : ` · ${duration(state.remaining_seconds)} left`;
    $("job-figures").textContent = final ? "" : state.done ? `${state.done}${total} frames${left}` : "warming up";
    const bar = $("job-bar");
    bar.hidden = final;
    if (state.expected) bar.value = state.done / state.expected;
    else bar.removeAttribute("value");
    $("job-text").textContent = state.error || (state.status === "done" ? [state.output, ...state.summary].join(" · ") : "");
    $("job-cancel").hidden = final;
    $("job-cancel").disabled = false;
    $("job-play").hidden = state.status !== "done";
    $("job-close").hidden = !final;
    if (final) {
      this.events?.close();
      this.onEnd(state);
    }
  }

  async play() {
    const [source, result] = [$("play-source"), $("play-result")];
    $("play-error").hidden = true;
    this.shown = undefined; // when the frame begins that the result shows, where the browser says
    $("play-name").textContent = fileName(this.output);
    source.src = mediaAddress(this.clip);
    result.src = `${mediaAddress(this.output)}&v=${this.number}`;
    $("playback").hidden = false;
    this.onPlay(true);
    $("play").focus();
    await this.start_();
  }

  async start_() {
    const [source, result] = [$("play-source"), $("play-result")];
    if (result.ended) result.currentTime = 0;
    source.currentTime = result.currentTime + this.start;
    await Promise.all([source, result].map(ready)); // or one would begin while the other is still black
    if (!this.isPlaying) return;
    try {
      await Promise.all([source.play(), result.play()]);
    } catch (error) {
      if (error.name === "NotAllowedError") return; // the browser wants a click first; the button is there
    }
  }

  toggle() {
    const result = $("play-result");
    if (result.paused || result.ended) { this.start_(); return; }
    result.pause();
    $("play-source").pause();
  }

  // To the frame that the result holds, which at the end may have been followed by a little sound.
  align() {
    const [source, result] = [$("play-source"), $("play-result")];
    source.pause();
    source.currentTime = this.start + Math.min(result.currentTime, (this.shown ?? Infinity) + 0.001);
  }

  closePlayers() {
    for (const id of ["play-source", "play-result"]) {
      $(id).pause();
      $(id).removeAttribute("src");
      $(id).load();
    }
    $("playback").hidden = true;
    this.onPlay(false);
    $("job-play").focus();
  }

  wirePlayers() {
    const [source, result, at] = [$("play-source"), $("play-result"), $("play-at")];
    const write = () => {
      if (Number.isFinite(result.duration)) at.value = result.currentTime / result.duration;
      $("play-time").textContent = `${result.currentTime.toFixed(2)} s`;
    };
    const follow = () => {
      write();
      // Two players drift; the source follows the result, which has the sound.
      if (!source.seeking && Math.abs(source.currentTime - result.currentTime - this.start) > 0.12) source.currentTime = result.currentTime + this.start;
    };
    result.addEventListener("timeupdate", follow);
    for (const name of ["play", "pause", "ended"]) {
      result.addEventListener(name, () => {
        $("play").textContent = result.paused || result.ended ? "Play" : "Pause";
        if (result.paused || result.ended) this.align();
      });
    }
    if (result.requestVideoFrameCallback) {
      const note = (_, frame) => {
        this.shown = frame.mediaTime;
        if (result.paused) this.align();
        result.requestVideoFrameCallback(note);
      };
      result.requestVideoFrameCallback(note);
    }
    at.addEventListener("input", () => {
      if (!Number.isFinite(result.duration)) return;
      result.currentTime = Number(at.value) * result.duration;
      source.currentTime = result.currentTime + this.start;
      write();
    });
    for (const [video, what] of [[source, "original"], [result, "result"]]) {
      video.addEventListener("error", () => {
        if (!video.getAttribute("src")) return;
        $("play-error").textContent = `This browser cannot play the ${what}'s format; open the file in a player instead.`;
        $("play-error").hidden = false;
      });
    }
  }
}
