// The styles: chosen, mixed, and made of pictures that are handed over.

import { sendPicture, styleAddress } from "./api.js";

const $ = (id) => document.getElementById(id);
const stem = (name) => name.replace(/\.[^.]+$/, "");
const isPicture = (name) => /\.(jpe?g|png|webp|tiff?|bmp)$/i.test(name);

export class Gallery {
  // onChange(isSettled) is called when another style is wanted, onMark() when the choice is drawn; say(sentence, ms) tells.
  constructor({ onChange, onMark, say }) {
    this.onChange = onChange;
    this.onMark = onMark;
    this.say = say;
    this.styles = [];
    this.style = "";
    this.second = ""; // mixed with it
    this.filledWith = "";
    this.box = $("styles");
    this.wireKeys();
    this.wireMix();
    this.wireDrop();
  }

  open({ styles, settings, style_note, pictures, largest_picture_bytes }) {
    $("style-note").textContent = style_note;
    this.isTimed = style_note !== "";
    this.styles = styles;
    this.style = settings.style;
    this.refusal = pictures;
    this.mostBytes = largest_picture_bytes;
    if (pictures) {
      $("drop").classList.add("off");
      $("drop-text").textContent = pictures;
      $("picture").disabled = true;
    }
    this.draw();
  }

  get isMixed() { return this.second !== "" && this.second !== this.style && !$("mix-with").disabled; }

  // As the setting says it.
  get value() {
    if (!this.isMixed) return this.style;
    const share = Number($("mix-share").value);
    return `${this.style}:${(1 - share).toFixed(2)}+${this.second}:${share.toFixed(2)}`;
  }

  get label() { return this.isTimed ? "styles by keyframes" : this.isMixed ? `${this.labelOf(this.style)}+${this.labelOf(this.second)}` : this.labelOf(this.style); }

  get takesPicture() { return isPicture(this.style) || (this.isMixed && isPicture(this.second)); }

  labelOf(name) { return this.styles.find((each) => each.name === name)?.label ?? stem(name.split("/").pop()); }

  get chosen() { return this.box.querySelector("[aria-checked=true]"); }

  draw() {
    this.box.replaceChildren(...this.styles.map((each) => this.tile(each)));
    this.filledWith = "";
    this.mark();
    const { box, chosen } = this;
    if (!chosen) return;
    box.scrollLeft = chosen.offsetLeft - box.offsetLeft - (box.clientWidth - chosen.offsetWidth) / 2; // where they are a row
    box.scrollTop = chosen.offsetTop - box.offsetTop - (box.clientHeight - chosen.offsetHeight) / 2;
  }

  tile(each) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "style";
    button.dataset.style = each.name;
    button.setAttribute("role", "radio");
    button.title = each.title || each.label;
    const image = new Image();
    image.alt = "";
    image.draggable = false;
    const name = document.createElement("span");
    name.textContent = each.label;
    button.append(image, name);
    if (each.kind !== "shipped") {
      const mark = document.createElement("small");
      mark.textContent = { own: "yours", picture: "picture", given: "file" }[each.kind];
      button.append(mark);
    }
    button.addEventListener("click", () => this.choose(each.name));
    return button;
  }

  mark() {
    for (const button of this.box.children) {
      const mine = button.dataset.style === this.style;
      button.setAttribute("aria-checked", String(mine));
      button.tabIndex = mine ? 0 : -1;
    }
    this.drawMix();
    this.onMark();
  }

  drawMix() {
    const select = $("mix-with");
    const others = this.styles.filter((each) => each.name !== this.style && !each.name.includes("+"));
    select.replaceChildren(new Option("nothing", ""), ...others.map((each) => new Option(each.label, each.name)));
    select.disabled = this.style.includes("+"); // it is a mixture already
    select.value = others.some((each) => each.name === this.second) ? this.second : "";
    $("mix-row").hidden = !this.isMixed;
    this.drawShare();
  }

  drawShare() {
    const share = Number($("mix-share").value);
    $("mix-percent").textContent = `${Math.round(100 * share)} %`;
    $("mix-share").style.setProperty("--filled", `${((share - 0.05) / 0.9) * 100}%`);
  }

  choose(name) {
    if (name === this.style) return;
    this.style = name;
    this.mark();
    this.chosen?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.onChange(true);
  }

  wireKeys() {
    this.box.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      const names = this.styles.map((each) => each.name);
      this.choose(names[(names.indexOf(this.style) + by + names.length) % names.length]);
      this.chosen.focus();
    });
  }

  wireMix() {
    $("mix-with").addEventListener("change", () => {
      this.second = $("mix-with").value;
      this.mark();
      this.onChange(true);
    });
    $("mix-share").addEventListener("input", () => {
      this.drawShare();
      this.onChange(false);
    });
  }

  wireDrop() {
    $("picture").addEventListener("change", () => this.take($("picture").files[0]));
    for (const name of ["dragover", "dragenter"]) {
      document.addEventListener(name, (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
    }
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dragging");
      this.take(event.dataTransfer.files[0]);
    });
  }

  async take(file) {
    if (!file) return;
    if (this.refusal) { this.say(this.refusal, 9000); return; }
    if (file.size > this.mostBytes) { // the server would hang up in the middle of it
      this.say(`${file.name} is larger than ${this.mostBytes >> 20} MiB; scale it down first.`, 9000);
      return;
    }
    $("drop").classList.add("busy");
    try {
      const added = await sendPicture(file);
      if (!this.styles.some((each) => each.name === added.name)) {
        this.styles.unshift(added);
        this.box.prepend(this.tile(added));
        this.filledWith = "";
      }
      this.choose(added.name);
    } catch (error) {
      this.say(error.message, 9000);
    } finally {
      $("drop").classList.remove("busy");
      $("picture").value = "";
    }
  }

  // One after the other, and only when the frame itself is done: the same processor paints both.
  async fill(clip, at, signal) {
    if (this.filledWith === clip) return;
    for (const button of [...this.box.children]) {
      if (signal.aborted) return; // what is missing comes after the next frame
      const image = button.querySelector("img");
      if (image.classList.contains("filled") && image.dataset.of === clip) continue;
      image.dataset.of = clip;
      image.src = styleAddress(button.dataset.style, clip, at.toFixed(3));
      await image.decode().then(() => image.classList.add("filled"), () => {});
    }
    this.filledWith = clip;
  }
}
