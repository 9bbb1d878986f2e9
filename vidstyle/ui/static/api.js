// What the server is asked, one function each. A refusal becomes an Error with the server's own sentence.

export const tab = crypto.randomUUID();

async function answered(response) {
  if (response.ok) return response;
  let sentence = `The server answered ${response.status}.`;
  try { sentence = (await response.json()).error ?? sentence; } catch { /* not JSON: the number has to do */ }
  const error = new Error(sentence);
  error.status = response.status;
  throw error;
}

async function asked(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("vidstyle no longer answers; start 'vidstyle ui' again and open its new address.");
  }
  return answered(response);
}

const post = (path, body, signal) => asked(path, {
  method: "POST", signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
});
const query = (path, values) => `${path}?${new URLSearchParams(values)}`;

export const loadState = async () => (await asked("/api/state")).json();
export const loadClip = async (path) => (await asked(query("/api/clip", { path }))).json();
export const mediaAddress = (path) => query("/media", { path });
export const thumbnailAddress = (clip, at, height) => query("/api/thumbnail", { clip, at, height });
export const styleAddress = (name, clip, at) => query("/api/style", { name, clip, at, height: 144 });
export const commandFor = async (request) => (await (await post("/api/command", request)).json()).command;
export const savePreset = async (request) => (await post("/api/preset", request)).json();
export const startRender = async (request) => (await post("/api/render", request)).json();
export const cancelRender = (number) => post(`/api/render/${number}/cancel`, {});
export const renderEvents = (number) => new EventSource(`/api/render/${number}/events`);

export async function loadFrame(request, signal) {
  const response = await post("/api/frame", { ...request, tab }, signal);
  return {
    address: URL.createObjectURL(await response.blob()),
    shown: Number(response.headers.get("X-Shown-Seconds")),
    warmup: Number(response.headers.get("X-Warmup-Frames")),
    took: Number(response.headers.get("X-Took-Seconds")),
  };
}

export const prepare = (request, signal) => post("/api/prepare", { ...request, kind: "parity", tab }, signal);

export async function sendPicture(file) {
  const path = query("/api/pictures", { name: file.name });
  return (await asked(path, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } })).json();
}
