// The form: built from the server's table of controls, so that a new setting needs nothing here.

const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
};

const same = (a, b) => (a ?? null) === (b ?? null);

export class Controls {
  // onChange(control) is called after every change; moment() gives the seconds on the timeline.
  constructor(form, table, values, { onChange, moment }) {
    this.form = form;
    this.table = table;
    this.onChange = onChange;
    this.now = moment;
    this.values = {};
    this.rows = new Map();
    form.replaceChildren();
    const groups = new Map();
    for (const control of table) {
      if (!groups.has(control.group)) {
        const group = make("fieldset", {}, make("legend", {}, control.group));
        groups.set(control.group, group);
        form.append(group);
      }
      groups.get(control.group).append(this.row(control));
      this.set(control, values[control.field] ?? control.default, false);
    }
  }

  // Only what is not the default.
  changed() {
    const found = {};
    for (const control of this.table) {
      const value = this.values[control.field];
      if (!same(value, control.default)) found[control.field] = value;
    }
    return found;
  }

  resetAll() {
    for (const control of this.table) this.set(control, control.default, false);
    this.onChange(null);
  }

  enable(field, enabled) {
    const row = this.rows.get(field);
    if (row) row.element.querySelectorAll("input, select").forEach((input) => { input.disabled = !enabled; });
    row?.element.classList.toggle("off", !enabled);
  }

  // Says whether there is a control of that name.
  setError(field, sentence) {
    for (const [name, row] of this.rows) {
      const mine = name === field;
      row.error.textContent = mine ? sentence : "";
      row.element.classList.toggle("wrong", mine);
      if (mine) row.element.scrollIntoView({ block: "nearest" });
    }
    return this.rows.has(field);
  }

  set(control, value, tell = true) {
    this.values[control.field] = value === "" || value === undefined ? null : value;
    const row = this.rows.get(control.field);
    row.write(this.values[control.field]);
    row.element.classList.toggle("changed", !same(this.values[control.field], control.default));
    if (tell) this.onChange(control);
  }

  row(control) {
    const id = `c-${control.field}`;
    const help = make("p", { id: `${id}-help`, class: "help" }, control.help);
    const error = make("p", { class: "error", role: "alert" });
    const reset = make("button", { type: "button", class: "undo", "aria-label": `Reset ${control.label}`, title: "Back to the default" }, "↺");
    reset.addEventListener("click", () => this.set(control, control.default));
    const label = make("label", { for: id }, control.label);
    const { parts, write } = this[control.kind](control, id);
    const head = make("div", { class: "head" }, label, reset);
    const element = make("div", { class: `control ${control.kind}` }, head, ...parts, help, error);
    this.rows.set(control.field, { element, write, error });
    return element;
  }

  slider(control, id) {
    const range = make("input", { type: "range", id, min: control.low, max: control.high, step: control.step, "aria-describedby": `${id}-help` });
    const number = make("input", { type: "number", min: control.low, max: control.high, step: control.step, "aria-label": `${control.label}, number` });
    range.addEventListener("input", () => this.set(control, Number(range.value)));
    number.addEventListener("change", () => {
      const value = Number.isFinite(number.valueAsNumber) ? number.valueAsNumber : control.default;
      this.set(control, Math.min(control.high, Math.max(control.low, value)));
    });
    const write = (value) => {
      range.value = value;
      number.value = value;
      range.style.setProperty("--filled", `${(100 * (value - control.low)) / (control.high - control.low)}%`);
    };
    return { parts: [make("div", { class: "pair" }, range, number)], write };
  }

  number(control, id) {
    const input = make("input", { type: "number", id, min: control.low, max: control.high, step: control.step, placeholder: control.placeholder, "aria-describedby": `${id}-help` });
    input.addEventListener("change", () => this.set(control, Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : null));
    return { parts: [input], write: (value) => { input.value = value ?? ""; } };
  }

  choice(control, id) {
    const select = make("select", { id, "aria-describedby": `${id}-help` }, ...control.choices.map((each) => make("option", { value: each }, each)));
    select.addEventListener("change", () => this.set(control, select.value));
    return { parts: [select], write: (value) => { select.value = value; } };
  }

  toggle(control, id) {
    const input = make("input", { type: "checkbox", id, role: "switch", "aria-describedby": `${id}-help` });
    input.addEventListener("change", () => this.set(control, input.checked));
    return { parts: [input], write: (value) => { input.checked = Boolean(value); } };
  }

  text(control, id) {
    const list = control.suggestions.length ? `${id}-list` : null;
    const input = make("input", { type: "text", id, list, placeholder: control.placeholder, spellcheck: "false", "aria-describedby": `${id}-help` });
    input.addEventListener("change", () => this.set(control, input.value.trim()));
    const parts = [input];
    if (list) parts.push(make("datalist", { id: list }, ...control.suggestions.map((each) => make("option", { value: each }))));
    return { parts, write: (value) => { input.value = value ?? ""; } };
  }

  file(control, id) { return this.text(control, id); }

  moment(control, id) {
    const input = make("input", { type: "text", id, inputmode: "decimal", placeholder: control.placeholder, spellcheck: "false", "aria-describedby": `${id}-help` });
    const here = make("button", { type: "button", class: "quiet small" }, "here");
    here.setAttribute("aria-label", `${control.label} here`);
    here.title = "Take the moment of the timeline";
    here.addEventListener("click", () => this.set(control, Math.round(this.now() * 1000) / 1000));
    input.addEventListener("change", () => {
      const text = input.value.trim();
      this.set(control, text !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
    });
    return { parts: [make("div", { class: "pair" }, input, here)], write: (value) => { input.value = value ?? ""; } };
  }
}
