// The picture: original and styled on top of each other, a wipe between them, zoom and pan.

const STEPS = [0.25, 0.5, 1, 2, 3, 4, 6, 8];
const $ = (id) => document.getElementById(id);

export class Viewer {
  constructor() {
    this.box = $("viewer");
    this.sheet = $("sheet");
    this.size = { width: 16, height: 9 };
    this.zoom = null; // null: fit
    this.wipe = 50;
    this.view = "wipe";
    this.before = "wipe";
    this.wireWipe();
    this.wirePan();
    for (const button of document.querySelectorAll("[data-view][role=radio]")) {
      button.addEventListener("click", () => this.show(button.dataset.view));
    }
    $("zoom-in").addEventListener("click", () => this.step(1));
    $("zoom-out").addEventListener("click", () => this.step(-1));
    $("zoom-fit").addEventListener("click", () => this.fit());
    new ResizeObserver(() => this.layOut()).observe(this.box);
  }

  setSize(width, height) {
    this.size = { width, height };
    this.layOut();
  }

  async setPicture(which, address) {
    const image = $(which);
    const next = new Image();
    next.src = address;
    await next.decode(); // so that the old one stays until the new one can be drawn
    const old = image.src;
    image.src = address;
    image.closest(".layer").classList.add("filled");
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
    if (which === "styled" && (next.naturalWidth !== this.size.width || next.naturalHeight !== this.size.height)) {
      this.setSize(next.naturalWidth, next.naturalHeight);
    }
  }

  clear() {
    for (const which of ["original", "styled"]) {
      $(which).removeAttribute("src");
      $(which).closest(".layer").classList.remove("filled");
    }
  }

  show(view) {
    this.view = view;
    this.box.dataset.view = view;
    for (const button of document.querySelectorAll("[data-view][role=radio]")) {
      button.setAttribute("aria-checked", String(button.dataset.view === view));
    }
    this.layOut();
  }

  toggleOriginal() {
    if (this.view === "original") { this.show(this.before); return; }
    this.before = this.view;
    this.show("original");
  }

  fit() { this.zoom = null; this.layOut(); }

  step(direction) {
    const now = this.scale();
    const next = direction > 0 ? STEPS.find((s) => s > now + 1e-3) : STEPS.findLast((s) => s < now - 1e-3);
    if (next) this.zoomTo(next);
  }

  zoomTo(zoom, at = null) {
    const box = this.box.getBoundingClientRect();
    const point = at ?? { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    const old = this.sheet.getBoundingClientRect();
    const share = { x: (point.x - old.left) / old.width, y: (point.y - old.top) / old.height };
    this.zoom = zoom;
    this.layOut();
    const now = this.sheet.getBoundingClientRect();
    this.box.scrollLeft += now.left + share.x * now.width - point.x;
    this.box.scrollTop += now.top + share.y * now.height - point.y;
  }

  scale() {
    if (this.zoom !== null) return this.zoom;
    const columns = this.view === "side" ? 2 : 1;
    const { clientWidth, clientHeight } = this.box;
    return Math.min((clientWidth - 4 * (columns - 1)) / (columns * this.size.width), clientHeight / this.size.height);
  }

  layOut() {
    const scale = this.scale();
    this.sheet.style.setProperty("--w", `${Math.max(1, Math.floor(this.size.width * scale))}px`);
    this.sheet.style.setProperty("--h", `${Math.max(1, Math.floor(this.size.height * scale))}px`);
    this.sheet.style.setProperty("--wipe", `${this.wipe}%`);
    this.sheet.classList.toggle("sharp", scale >= 2);
    this.box.classList.toggle("zoomed", this.zoom !== null);
    $("zoom-fit").textContent = this.zoom === null ? "Fit" : `${Math.round(scale * 100)} %`;
  }

  setWipe(percent) {
    this.wipe = Math.min(100, Math.max(0, percent));
    $("wipe").setAttribute("aria-valuenow", String(Math.round(this.wipe)));
    this.sheet.style.setProperty("--wipe", `${this.wipe}%`);
  }

  wireWipe() {
    const handle = $("wipe");
    const follow = (event) => {
      const box = this.sheet.getBoundingClientRect();
      this.setWipe((100 * (event.clientX - box.left)) / box.width);
    };
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.stopPropagation();
    });
    handle.addEventListener("pointermove", (event) => { if (handle.hasPointerCapture(event.pointerId)) follow(event); });
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -2, ArrowRight: 2, PageDown: -10, PageUp: 10 }[event.key];
      if (by) this.setWipe(this.wipe + by);
      else if (event.key === "Home") this.setWipe(0);
      else if (event.key === "End") this.setWipe(100);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  wirePan() {
    this.box.addEventListener("pointerdown", (event) => {
      if (this.zoom === null || event.button !== 0 || event.pointerType !== "mouse") return;
      this.box.setPointerCapture(event.pointerId);
    });
    this.box.addEventListener("pointermove", (event) => {
      if (!this.box.hasPointerCapture(event.pointerId)) return;
      this.box.scrollLeft -= event.movementX;
      this.box.scrollTop -= event.movementY;
    });
    this.box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const scale = this.scale() * Math.exp(-event.deltaY / 300);
      this.zoomTo(Math.min(8, Math.max(0.1, scale)), { x: event.clientX, y: event.clientY });
    }, { passive: false });
  }

  handleKey(event) {
    if (event.key === "b") this.toggleOriginal();
    else if (event.key === "w") this.show("wipe");
    else if (event.key === "s") this.show("side");
    else if (event.key === "+" || event.key === "=") this.step(1);
    else if (event.key === "-") this.step(-1);
    else if (event.key === "0") this.fit();
    else return false;
    return true;
  }
}
