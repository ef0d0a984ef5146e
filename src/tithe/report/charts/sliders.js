// Runs a projection's program where its sliders are put, and shows what comes out: a bar beside those before and as projected, and a table.
// What a program means is on top of whatif/program.py, whose `run` is the same as the one here, with the same sums in the same order;
// tests/report/test_sliders_browser.py holds one to the other. report/drawing.py says what each field of `Sliders` is.
"use strict";

(() => {
  const PLACES = 200; // of a slider
  const drawings = JSON.parse(document.getElementById("drawings").textContent);

  function element(name, attributes = {}, ...inside) {
    const one = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    one.append(...inside);
    return one;
  }

  // Figures as report/figures.py writes them.
  function number(value) {
    const rounded = Number(value.toPrecision(3));
    const size = Math.abs(rounded);
    if (size < 0.001) return "0";
    const decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    return rounded.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }

  function seconds(value) {
    if (Math.abs(value) >= 1) return `${number(value)} s`;
    return Math.abs(value) >= 1e-3 ? `${number(value * 1e3)} ms` : `${number(value * 1e6)} µs`;
  }

  function operands(program, task, settings) {
    const of = (set, projected) => (set === null || projected === null ? 1 : set / projected);
    const ttft = of(settings.ttft_s, program.ttft_s);
    const token = 1 / of(settings.tokens_per_s, program.tokens_per_s);
    const slower = settings.candidates === null ? 1 : task.slower[settings.candidates - 1];
    const tools = settings.tools === null ? program.tools : settings.tools;
    const share = settings.retries === null ? program.retries : settings.retries;
    let again = share / (1 - share);
    if (program.retries > 0) again = again / (program.retries / (1 - program.retries));
    const calls = [slower, slower * ttft, slower * token];
    return [1, tools, ...calls, again, ...calls.map((one) => again * one)];
  }

  function timed(task, by, buckets) {
    const ends = [];
    const paths = [];
    for (const [after, terms] of task.segments) {
      let last = -1;
      for (const before of after) if (last < 0 || ends[before] > ends[last]) last = before;
      let end = last < 0 ? 0 : ends[last];
      const path = last < 0 ? new Array(buckets).fill(0) : paths[last].slice();
      for (const [bucket, operand, coefficient] of terms) {
        const taken = coefficient * by[operand];
        end += taken;
        path[bucket] += taken;
      }
      ends.push(end);
      paths.push(path);
    }
    return [ends.at(-1), paths.at(-1)];
  }

  // [wall clock, by bucket] in seconds, of all tasks or of one.
  function run(program, settings, task, buckets) {
    let wall = 0;
    let sums = new Array(buckets).fill(0);
    for (const one of task === null ? program.tasks : [program.tasks[task]]) {
      const [end, path] = timed(one, operands(program, one, settings), buckets);
      wall += end;
      sums = sums.map((sum, place) => sum + path[place]);
    }
    return [wall, sums];
  }

  // A setting: a slider, a box to type in beside it, and the value that both stand for; null is as projected.
  class Control {
    constructor(slider, name, moved) {
      this.slider = slider;
      this.moved = moved;
      const { steps, low, high } = slider;
      const ends = steps === "whole" ? { min: low, max: high, step: 1 } : { min: 0, max: PLACES, step: 1 };
      this.range = element("input", { type: "range", id: `${name}-range`, "aria-describedby": `${name}-hint`, ...ends });
      this.box = element("input", { type: "number", id: `${name}-box`, "data-key": slider.key, "aria-describedby": `${name}-hint`, min: slider.least, max: slider.most, step: steps === "whole" ? 1 : "any", inputmode: "decimal" });
      this.box.setAttribute("aria-label", `${slider.name}${slider.unit ? `, ${slider.unit}` : ""}`);
      this.wrong = element("p", { class: "wrong", role: "alert" });
      this.row = element("div", { class: "control" },
        element("label", { for: this.range.id }, slider.name),
        element("span", { class: "typed" }, this.box, element("span", { class: "unit" }, slider.unit)),
        this.range, element("p", { class: "hint", id: `${name}-hint` }, slider.hint), this.wrong);
      this.home = this.placeOf(slider.initial);
      this.range.addEventListener("input", () => this.put(this.range.valueAsNumber === this.home ? null : this.valueAt(this.range.valueAsNumber)));
      this.box.addEventListener("input", () => this.type());
      this.put(null, { quietly: true });
    }

    get initial() {
      return this.text(this.slider.initial);
    }

    text(value) {
      return this.slider.steps === "whole" ? String(value) : String(Number(value.toPrecision(3)));
    }

    placeOf(value) {
      const { steps, low, high } = this.slider;
      if (steps === "whole") return value;
      const share = steps === "log" ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
      return Math.round(Math.max(0, Math.min(1, share)) * PLACES);
    }

    valueAt(place) {
      const { steps, low, high } = this.slider;
      if (steps === "whole") return place;
      const value = steps === "log" ? low * (high / low) ** (place / PLACES) : low + ((high - low) * place) / PLACES;
      return Number(value.toPrecision(3));
    }

    // In the slider's unit; null puts it back.
    put(value, { quietly = false } = {}) {
      this.box.value = value === null ? this.initial : this.text(value);
      this.range.value = value === null ? this.home : this.placeOf(value);
      this.take(value, quietly);
    }

    type() {
      const value = this.box.valueAsNumber;
      const { least, most, steps } = this.slider;
      if (!(value >= least && value <= most) || (steps === "whole" && !Number.isInteger(value))) {
        this.box.setAttribute("aria-invalid", "true");
        this.wrong.textContent = `Give ${steps === "whole" ? "a whole number" : "a number"} from ${least.toLocaleString("en-US")} to ${most.toLocaleString("en-US")}.`;
        return;
      }
      this.range.value = this.placeOf(value);
      this.take(this.box.value === this.initial ? null : value, false);
    }

    take(value, quietly) {
      this.box.removeAttribute("aria-invalid");
      this.wrong.textContent = "";
      this.value = value === null ? null : value / this.slider.scale;
      this.range.setAttribute("aria-valuetext", `${this.box.value} ${this.slider.unit}`.trim());
      this.row.classList.toggle("moved", value !== null);
      if (!quietly) this.moved();
    }
  }

  class Sliders {
    constructor(host, data) {
      this.host = host;
      this.data = data;
      this.task = null;
      this.controls = data.sliders.map((slider) => new Control(slider, `${host.id}-${slider.key}`, () => this.show()));
      this.reset = element("button", { type: "button" }, "Reset");
      this.reset.addEventListener("click", () => {
        this.controls.forEach((control) => control.put(null, { quietly: true }));
        this.show();
      });
      this.said = element("output", { "aria-live": "polite", for: this.controls.map((control) => control.range.id).join(" ") });
      this.bars = element("div", { class: "drawing", id: `${host.id}-bars` });
      this.body = element("tbody");
      const heads = [`(${data.unit})`, "before", "projected", "sliders"].map((head) => element("th", { scope: "col" }, head));
      const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), this.body);
      host.replaceChildren(
        element("p", { class: "said" }, this.said),
        element("div", { class: "outcome" },
          element("h4", { id: `${host.id}-bars-title` }, "The wall clock, by bucket"), this.bars,
          element("div", { class: "scroll", role: "region", "aria-label": "Figures of the bars", tabindex: "0" }, table)),
        element("div", { class: "controls", role: "group", "aria-label": "Sliders" }, ...this.chooser(), ...this.controls.map((control) => control.row), this.reset));
      this.show();
    }

    // Which task is looked at, where there are several.
    chooser() {
      const { accounts } = this.data;
      if (accounts.length === 1) return [];
      const options = accounts.map((account, place) => element("option", { value: place }, account.name));
      const select = element("select", { id: `${this.host.id}-task` }, ...options);
      select.addEventListener("change", () => {
        this.task = select.selectedIndex === 0 ? null : select.selectedIndex - 1;
        this.show();
      });
      return [element("div", { class: "control" }, element("label", { for: select.id }, "Tasks shown"), select)];
    }

    settings() {
      const settings = { ttft_s: null, tokens_per_s: null, retries: null, candidates: null, tools: null };
      for (const control of this.controls) settings[control.slider.key] = control.value;
      return settings;
    }

    show() {
      const { program, accounts, parts } = this.data;
      const settings = this.settings();
      const [wall, buckets] = run(program, settings, this.task, parts.length);
      const account = accounts[this.task === null ? 0 : this.task + 1];
      const moved = Object.values(settings).some((one) => one !== null);
      this.reset.disabled = !moved;
      this.said.textContent = this.sentence(wall, account, moved);
      // In full, for whoever reads the page by a program.
      this.host.dataset.wall = wall;
      this.host.dataset.buckets = JSON.stringify(buckets);
      const columns = [account.before, account.projected, buckets];
      const totals = [account.before_s, account.projected_s, wall];
      this.draw(columns, totals);
      this.fill(columns, totals);
    }

    sentence(wall, account, moved) {
      const times = account.before_s / wall;
      const change = times > 1.005 ? `, ${number(times)} times as fast as before` : times < 0.995 ? `, ${number(1 / times)} times as long as before` : "";
      if (moved) return `With the sliders: ${seconds(wall)} on average${change}.`;
      const projected = [seconds(account.projected_s) === seconds(wall) ? "" : `${seconds(account.projected_s)} on average`, account.spread];
      const told = projected.filter((one) => one).join(", ");
      return `Nothing is moved: ${seconds(wall)} on average${change}.${told ? ` The projection: ${told}.` : ""}`;
    }

    draw(columns, totals) {
      const { parts, unit, scale } = this.data;
      const rows = ["before", "projected", "sliders"].map((name, row) => ({
        name,
        values: columns[row].map((one) => one * scale),
        told: columns[row].map((one, place) => `${parts[place].name}: ${number(one * scale)} ${unit}`),
        end: seconds(totals[row]),
      }));
      const drawing = { kind: "stacks", label: `wall clock (${unit})`, parts, rows };
      document.dispatchEvent(new CustomEvent("draw", { detail: { host: this.bars, drawing } }));
    }

    fill(columns, totals) {
      const { parts, scale } = this.data;
      const row = (name, values) =>
        element("tr", {}, element("th", { scope: "row" }, name), ...values.map((one) => element("td", {}, one > 0 ? number(one * scale) : "-")));
      const kinds = parts.flatMap((part, place) => {
        const values = columns.map((column) => column[place]);
        return values.some((one) => one > 0) ? [row(part.name, values)] : [];
      });
      this.body.replaceChildren(...kinds, row("wall clock, mean", totals));
    }
  }

  for (const host of document.querySelectorAll(".sliders")) {
    try {
      new Sliders(host, drawings[host.id]);
    } catch (error) {
      host.textContent = "The sliders could not be set up; all other figures stand without them.";
      reportError(error);
    }
  }
})();
