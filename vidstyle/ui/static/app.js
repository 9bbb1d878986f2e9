// Wires the parts: what is chosen here becomes settings, settings become frames.

import * as api from "./api.js";
import { Controls } from "./controls.js";
import { Gallery } from "./gallery.js";
import { Render } from "./render.js";
import { Timeline } from "./timeline.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const stem = (name) => name.replace(/\.[^.]+$/, "");
const SETTLE_MS = 60;
const IDLE_MS = 1500;

const viewer = new Viewer();
const timeline = new Timeline((isSettled) => refresh({ draftOnly: !isSettled }));
const gallery = new Gallery({
  onChange: (isSettled) => refresh(isSettled ? { delay: 0 } : {}),
  onMark: () => controls?.enable("style_weight", gallery.takesPicture),
  say: toast,
});
const render = new Render({ onPlay: showPlayers, onEnd: () => {} });
let state = null; // what the server told at the start
let clip = null;
let controls = null;

// ---- asking for frames -------------------------------------------------------------------------------------------

let view = 0;
let waiting = 0;
let flight = new AbortController();
let sourceOf = "";
let scrubbing = ""; // "once" while a draft for the moving playhead is made, "again" if it moved on

function settings() { return { style: gallery.value, ...controls.changed() }; }

function refresh({ draftOnly = false, delay = SETTLE_MS } = {}) {
  if (!clip) return;
  if (draftOnly && scrubbing) { scrubbing = "again"; return; } // one draft at a time: the playhead outruns the painter
  clearTimeout(waiting);
  badge("working", "painting");
  waiting = setTimeout(() => load(draftOnly), draftOnly ? 0 : delay);
}

async function load(draftOnly) {
  flight.abort();
  flight = new AbortController();
  scrubbing = draftOnly ? "once" : "";
  const { signal } = flight;
  const request = { clip: clip.path, at: timeline.seconds(), settings: settings(), view: ++view };
  const started = performance.now();
  try {
    await loadDraft(request, signal);
    if (draftOnly || signal.aborted) return;
    const parity = await api.loadFrame({ ...request, kind: "parity" }, signal);
    await viewer.setPicture("styled", parity.address);
    if (signal.aborted) return;
    const seconds = (performance.now() - started) / 1000;
    badge("parity", "as rendered", `Warmed up over ${parity.warmup} frames, as the full render is; took ${seconds.toFixed(1)} s`);
    await gallery.fill(clip.path, timeline.seconds(), signal);
    await idle(signal);
    // Nobody is waiting: paint ahead, so that the consistency slider answers at once. Any new request stops it.
    if (!render.isRunning && !document.hidden) await api.prepare(request, signal);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted || error.status === 409) return;
    explain(error.message);
  } finally {
    if (!signal.aborted && draftOnly) {
      const again = scrubbing === "again";
      scrubbing = "";
      if (again) refresh({ draftOnly: true });
    }
  }
}

function idle(signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, IDLE_MS);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(new DOMException("", "AbortError")); });
  });
}

async function loadDraft(request, signal) {
  const { size, fps, deinterlace, video_stream, on_error } = request.settings;
  const source = JSON.stringify([request.clip, request.at, size, fps, deinterlace, video_stream, on_error]);
  const original = source === sourceOf ? null : api.loadFrame({ ...request, kind: "source" }, signal);
  const draft = api.loadFrame({ ...request, kind: "draft" }, signal);
  const [before, after] = await Promise.all([original, draft]);
  if (signal.aborted) return;
  await Promise.all([before && viewer.setPicture("original", before.address), viewer.setPicture("styled", after.address)]);
  sourceOf = source;
  timeline.start();
  $("style-tag").textContent = gallery.label;
  badge("draft", "draft");
  clearNotice();
  controls.setError(null);
}

// A setting that cannot be used is explained where it stands, everything else over the picture.
function explain(sentence) {
  const field = /^Setting '(\w+)'/.exec(sentence)?.[1];
  const isShown = controls.setError(field, sentence);
  badge(isShown ? "error" : "none", isShown ? "not shown" : "");
  if (!isShown) notice("error", sentence);
}

function badge(kind, text, title = "") {
  $("badge").dataset.kind = kind;
  $("badge").textContent = text;
  $("badge").title = title;
}

function notice(kind, sentence, ...more) {
  const box = $("notice");
  box.dataset.kind = kind;
  const text = document.createElement("p");
  text.textContent = sentence;
  box.replaceChildren(text, ...more);
  box.hidden = false;
}

function clearNotice() { $("notice").hidden = true; }

function toast(sentence, milliseconds = 5000) {
  $("toast").textContent = sentence;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, milliseconds);
}

// ---- command, preset, render -------------------------------------------------------------------------------------

function folder() { return clip.path.slice(0, -clip.name.length); }
function suggestedName() {
  const suffix = /\.(mp4|m4v|mov|mkv|webm)$/i.exec(clip.name)?.[0] ?? ".mp4";
  return `${stem(clip.name)}-${gallery.label}${suffix}`;
}

function ask({ title, name, button, act }) {
  $("ask-title").textContent = title;
  $("ask-name").value = name;
  $("ask-where").textContent = `In ${folder()}`;
  $("ask-go").textContent = button;
  $("ask-error").textContent = "";
  $("ask-overwrite").checked = false;
  $("ask").showModal();
  const dot = name.lastIndexOf(".");
  $("ask-name").setSelectionRange(0, dot);
  $("ask").querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    $("ask-go").disabled = true;
    try {
      await act({ clip: clip.path, settings: settings(), output: folder() + $("ask-name").value.trim(), overwrite: $("ask-overwrite").checked });
      $("ask").close();
    } catch (error) {
      $("ask-error").textContent = error.message.replace("pass --overwrite", "tick 'Replace it'");
    } finally {
      $("ask-go").disabled = false;
    }
  };
}

$("ask-cancel").addEventListener("click", () => $("ask").close());

$("copy").addEventListener("click", async () => {
  try {
    const command = await api.commandFor({ clip: clip.path, settings: settings(), output: folder() + suggestedName() });
    await navigator.clipboard.writeText(command).then(
      () => toast(`Copied: ${command}`, 8000),
      () => toast(command, 20000), // no permission: at least it can be read
    );
  } catch (error) { toast(error.message); }
});

$("save").addEventListener("click", () => ask({
  title: "Save these settings as a preset",
  name: `${gallery.label}.toml`,
  button: "Save",
  act: async (request) => {
    const saved = await api.savePreset(request);
    toast(`Saved. Use it with --config ${saved.path}`, 8000);
  },
}));

$("render").addEventListener("click", () => ask({
  title: "Render the clip",
  name: suggestedName(),
  button: "Start",
  act: async (request) => {
    if (render.isPlaying) render.closePlayers();
    render.follow(await api.startRender(request));
  },
}));

function showPlayers(isPlaying) {
  $("viewer").hidden = isPlaying;
  document.body.classList.toggle("playing", isPlaying);
  if (!isPlaying) viewer.layOut();
}

// ---- opening -----------------------------------------------------------------------------------------------------

async function open(path) {
  sourceOf = "";
  flight.abort();
  viewer.clear();
  if (render.isPlaying) render.closePlayers();
  document.body.dataset.state = "opening";
  try {
    clip = await api.loadClip(path);
  } catch (error) {
    clip = null;
    document.body.dataset.state = "empty";
    notice("error", error.message);
    return;
  }
  clearNotice();
  document.body.dataset.state = "ready";
  document.title = `${clip.name} · vidstyle`;
  const rate = Number(clip.rate.toFixed(3));
  $("facts").textContent = `${clip.width}×${clip.height} · ${rate} fps · ${clip.seconds.toFixed(1)} s · ${clip.codec}${clip.depth > 8 ? ` · ${clip.depth} bit` : ""}`;
  viewer.setSize(clip.width, clip.height);
  timeline.open(clip);
  if (clip.interlaced && !controls.values.deinterlace) {
    notice("error", `${clip.name} is interlaced; switch Deinterlace on.`);
  }
  refresh({ delay: 0 });
}

function offerClips() {
  document.body.dataset.state = "empty";
  if (!state.clips.length) {
    notice("empty", "There is no clip in this folder; start with 'vidstyle ui CLIP'. Sequences of pictures and stills are for 'vidstyle preview' and 'vidstyle stylize'.");
    return;
  }
  const list = document.createElement("div");
  list.className = "choices";
  for (const each of state.clips) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = each.name;
    button.addEventListener("click", () => { $("clip").value = each.path; open(each.path); });
    list.append(button);
  }
  notice("empty", "Choose a clip", list);
}

function changedControl(control) {
  const changed = controls.changed();
  $("reset").disabled = Object.keys(changed).length === 0;
  timeline.showRange(changed.start_seconds, changed.end_seconds);
  if (control === null || control.reach !== "file") refresh();
}

$("reset").addEventListener("click", () => controls.resetAll());
$("clip").addEventListener("change", () => open($("clip").value));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("ask").open) return;
  if (event.target.matches("input:not([type=range]):not([type=checkbox]), select, textarea")) return;
  if (event.target.matches("#controls input[type=range], #mix-share, #play-at")) return;
  if (render.isPlaying) {
    if (event.key === "Escape") render.closePlayers();
    else if (event.key === " " && !event.target.matches("button")) render.toggle();
    else return;
    event.preventDefault();
    return;
  }
  const arrowsAreMine = !event.target.matches(".segments button");
  if ((arrowsAreMine && timeline.handleKey(event)) || viewer.handleKey(event)) event.preventDefault();
});

async function begin() {
  try {
    state = await api.loadState();
  } catch (error) {
    document.body.dataset.state = "empty";
    notice("error", error.message);
    return;
  }
  controls = new Controls($("controls"), state.controls, state.settings, { onChange: changedControl, moment: () => timeline.frameStart() });
  $("reset").disabled = Object.keys(controls.changed()).length === 0;
  gallery.open(state);
  const paths = state.clips.map((each) => each.path);
  if (state.clip && !paths.includes(state.clip)) state.clips.unshift({ path: state.clip, name: state.clip.split("/").pop() });
  $("clip").replaceChildren(...state.clips.map((each) => new Option(each.name, each.path)));
  $("clip").selectedIndex = -1;
  if (!state.clip) { offerClips(); return; }
  $("clip").value = state.clip;
  await open(state.clip);
  if (state.render) render.follow(state.render);
}

begin();
