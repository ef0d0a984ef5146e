// Draws the waterfall of a page: rows to scroll, search, fold and choose, on an axis of time to zoom and move along.
// As in draw.js nothing is computed but where marks go; report/drawing.py says what each field of a `Waterfall` is.
// Only rows in view are in the document, so that thousands of them cost no more than thirty.
"use strict";

(() => {
  const ROW = 24; // pixels a row
  const RULES = 2; // pixels of the lines above and below the rows
  const BAR = { top: 5, height: 11 };
  const LEAST = 0.0005; // of the whole axis, what can be zoomed to
  const NARROW = 560; // pixels, below which names have less room
  const drawings = JSON.parse(document.getElementById("drawings").textContent);

  function element(name, attributes = {}, ...inside) {
    const one = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    one.append(...inside);
    return one;
  }

  function shape(name, attributes, ...inside) {
    const one = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    one.append(...inside);
    return one;
  }

  const paintOf = (part) => (part.hatched ? `url(#hatch-${part.colour})` : `var(--${part.colour})`);
  const between = (low, value, high) => Math.max(low, Math.min(high, value));

  class Waterfall {
    constructor(host, drawing) {
      this.host = host;
      this.data = drawing;
      this.whole = [0, drawing.end || 1];
      this.seen = this.whole; // the stretch of time in view
      this.folded = new Set();
      this.chosen = null;
      this.holds = new Set(drawing.lines.map((line) => line.above).filter((above) => above !== null));
      this.names = drawing.lines.map((line) => line.name.toLowerCase());
      this.build();
      this.filter();
      new ResizeObserver(() => requestAnimationFrame(() => this.layout())).observe(host);
      this.layout();
    }

    build() {
      const button = (label, words, act) => {
        const one = element("button", { type: "button", title: words, "aria-label": words }, label);
        one.addEventListener("click", act);
        return one;
      };
      const check = (words, any) => {
        const box = element("input", { type: "checkbox" });
        box.disabled = !any;
        box.addEventListener("change", () => this.filter());
        return [box, element("label", {}, box, words)];
      };
      this.find = element("input", { type: "search", placeholder: "Find by name", "aria-label": "Find rows by name" });
      this.find.addEventListener("input", () => this.filter());
      const [critical, criticalLabel] = check("critical path only", this.data.lines.some((line) => line.path.length));
      const [errors, errorsLabel] = check("errors only", this.data.lines.some((line) => line.error));
      [this.critical, this.errors] = [critical, errors];
      this.status = element("output", { "aria-live": "polite" });
      const inner = [...this.holds].filter((row) => this.data.lines[row].depth > 0 || this.data.lines[row].above !== null);
      const folds = inner.length
        ? [button("Fold all", "Fold all rows that hold others", () => this.fold(inner)), button("Unfold all", "Unfold all rows", () => this.fold([]))]
        : [];
      const tools = element("div", { class: "tools", role: "group", "aria-label": "Waterfall" },
        this.find, criticalLabel, errorsLabel, this.status,
        element("span", { class: "buttons" }, ...folds,
          button("−", "Zoom out", () => this.zoom(2)),
          button("+", "Zoom in", () => this.zoom(0.5)),
          button("←", "Earlier", () => this.move(-0.25)),
          button("→", "Later", () => this.move(0.25)),
          button("Show all", "Show the whole time", () => this.look(this.whole))));
      this.strip = shape("svg", { class: "strip", height: 30, role: "img", "aria-label": "The whole time; drag to look closer" });
      this.axis = shape("svg", { class: "axis", height: 22, "aria-hidden": "true" });
      this.space = element("div", { class: "space" });
      this.layer = element("div", { class: "layer" });
      this.space.append(this.layer);
      this.rows = element("div", { class: "rows", tabindex: "0", role: "listbox", "aria-label": "Rows of the waterfall" }, this.space);
      // As high as all rows, up to what the style allows: a search that leaves few moves nothing below them.
      this.rows.style.height = `${this.data.lines.length * ROW + RULES}px`;
      this.more = element("p", { class: "more" });
      this.details = element("div", { class: "chosen", "aria-live": "polite" });
      this.rows.addEventListener("scroll", () => this.soon(), { passive: true });
      this.rows.addEventListener("keydown", (event) => this.typed(event));
      this.rows.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
      this.rows.addEventListener("pointerdown", (event) => this.pressed(event));
      this.rows.addEventListener("dblclick", (event) => this.closer(event));
      this.host.replaceChildren(tools, this.legend(), this.strip, this.axis, this.rows, this.more, this.details);
      this.choose(null);
    }

    legend() {
      const used = new Set(this.data.lines.flatMap((line) => line.pieces.map((piece) => piece[2])));
      const list = element("ul", { class: "legend" });
      const entry = (words, ...signs) =>
        list.append(element("li", {}, shape("svg", { width: 16, height: 16, "aria-hidden": "true" }, ...signs), words));
      this.data.parts.forEach((part, index) => {
        if (used.has(index)) entry(part.name, shape("rect", { y: 2, width: 16, height: 12, fill: paintOf(part) }));
      });
      if (this.data.lines.some((line) => line.first !== null)) entry("first token", ...this.firstToken(8, 0));
      entry("critical path", shape("rect", { y: 7, width: 16, height: 2.5, class: "path" }));
      return list;
    }

    // Which rows are shown, of those that a search and the boxes ask for: with each, what it stands in.
    filter() {
      const { lines } = this.data;
      const wanted = this.find.value.trim().toLowerCase();
      const asked = wanted || this.critical.checked || this.errors.checked;
      const kept = new Set();
      let found = 0;
      lines.forEach((line, row) => {
        const fits = this.names[row].includes(wanted) && (!this.critical.checked || line.path.length) && (!this.errors.checked || line.error);
        if (!fits) return;
        found += 1;
        for (let one = row; one !== null && !kept.has(one); one = lines[one].above) kept.add(one);
      });
      const hidden = new Set();
      this.shown = [];
      lines.forEach((line, row) => {
        if (line.above !== null && (hidden.has(line.above) || this.folded.has(line.above))) hidden.add(row);
        else if (kept.has(row)) this.shown.push(row);
      });
      this.status.textContent = asked ? `${found.toLocaleString("en-US")} of ${lines.length.toLocaleString("en-US")} rows` : "";
      this.space.style.height = `${this.shown.length * ROW}px`;
      this.soon();
    }

    fold(rows) {
      this.folded = new Set(rows);
      this.filter();
    }

    toggle(row) {
      if (!this.holds.has(row)) return;
      if (!this.folded.delete(row)) this.folded.add(row);
      this.filter();
    }

    layout() {
      const width = Math.floor(this.rows.clientWidth);
      if (!width || width === this.width) return;
      this.width = width;
      const narrow = width < NARROW;
      this.aside = narrow ? 124 : Math.min(290, Math.floor(width * 0.28));
      this.after = narrow ? 62 : 76;
      this.room = Math.max(40, width - this.aside - this.after);
      this.rows.style.setProperty("--aside", `${this.aside}px`);
      this.rows.style.setProperty("--after", `${this.after}px`);
      this.drawStrip();
      this.look(this.seen);
    }

    drawStrip() {
      const place = d3.scaleLinear(this.whole, [0, this.room]);
      for (const svg of [this.strip, this.axis]) {
        svg.setAttribute("width", this.room);
        svg.style.marginLeft = `${this.aside}px`;
      }
      const pieces = shape("g", {}, ...this.pieces(this.data.over, place, { top: 4, height: 22 }));
      this.brush = d3.brushX().extent([[0, 1], [this.room, 29]]).on("brush end", (event) => {
        if (!event.sourceEvent) return;
        if (event.selection && event.selection[1] - event.selection[0] > 2) this.look(event.selection.map(place.invert), { brushed: true, held: event.type !== "end" });
        else if (event.type === "end") this.look(this.whole);
      });
      const brush = shape("g", { class: "brush" });
      this.strip.replaceChildren(pieces, brush);
      this.selection = d3.select(brush).call(this.brush);
    }

    // Look at a stretch of time; `brushed`: the brush is there already, `held`: the rows stay where they are.
    look([from, to], { brushed = false, held = false } = {}) {
      const all = this.whole[1];
      const size = between(all * LEAST, to - from, all);
      const start = between(0, from, all - size);
      this.seen = [start, start + size];
      this.place = d3.scaleLinear(this.seen, [0, this.room]);
      if (!brushed) this.selection.call(this.brush.move, size < all ? this.seen.map(d3.scaleLinear(this.whole, [0, this.room])) : null);
      this.ticks = this.place.ticks(Math.max(2, Math.floor(this.room / 95)));
      const written = this.place.tickFormat(this.ticks.length);
      this.axis.replaceChildren(...this.ticks.map((tick, index) => {
        const x = this.place(tick);
        const last = index === this.ticks.length - 1;
        const anchor = x < 12 ? "start" : x > this.room - 24 ? "end" : "middle";
        return shape("text", { x, y: 15, "text-anchor": anchor }, written(tick) + (last ? ` ${this.data.unit}` : ""));
      }));
      if (!held) this.follow();
      this.soon();
    }

    // Where nothing of the rows in view is in the time in view, go to the first row that is.
    follow() {
      const { lines } = this.data;
      const inTime = (row) => lines[row].above !== null && lines[row].end >= this.seen[0] && lines[row].start <= this.seen[1];
      const first = Math.floor(this.rows.scrollTop / ROW);
      const last = first + Math.ceil(this.rows.clientHeight / ROW);
      if (this.shown.slice(first, last).some(inTime)) return;
      const at = this.shown.findIndex(inTime);
      if (at >= 0) this.rows.scrollTop = Math.max(0, at - 2) * ROW;
    }

    zoom(factor, at = (this.seen[0] + this.seen[1]) / 2) {
      this.look(this.seen.map((end) => at + (end - at) * factor));
    }

    move(share) {
      const by = (this.seen[1] - this.seen[0]) * share;
      this.look(this.seen.map((end) => end + by));
    }

    soon() {
      if (this.waiting) return;
      this.waiting = requestAnimationFrame(() => {
        this.waiting = null;
        this.draw();
      });
    }

    draw() {
      if (!this.place) return;
      const first = Math.max(0, Math.floor(this.rows.scrollTop / ROW) - 2);
      const last = Math.min(this.shown.length, first + Math.ceil(this.rows.clientHeight / ROW) + 4);
      this.tellMore();
      this.layer.style.top = `${first * ROW}px`;
      this.layer.replaceChildren(...this.shown.slice(first, last).map((row, index) => this.row(row, first + index)));
      const active = this.layer.querySelector("[aria-selected=true]");
      if (active) this.rows.setAttribute("aria-activedescendant", active.id);
      else this.rows.removeAttribute("aria-activedescendant");
    }

    // Which of the rows are in view, and that there are more to scroll to; nothing where all are.
    tellMore() {
      const { scrollTop, clientHeight } = this.rows;
      const all = this.shown.length;
      const scrolls = all * ROW > clientHeight + 1;
      const first = Math.min(all, Math.round(scrollTop / ROW) + 1);
      const last = Math.min(all, Math.floor((scrollTop + clientHeight) / ROW + 0.5));
      const below = last < all ? "↓ " : "", above = first > 1 ? "↑ " : "";
      const [from, to, whole] = [first, last, all].map((count) => count.toLocaleString("en-US"));
      this.more.hidden = !scrolls;
      this.more.textContent = scrolls ? `${above}${below}rows ${from} to ${to} of ${whole}: scroll for the others` : "";
    }

    row(row, index) {
      const line = this.data.lines[row];
      const folded = this.folded.has(row);
      const name = element("span", { class: "name" }, element("bdi", {}, line.name));
      name.title = line.name;
      name.style.paddingLeft = `${Math.min(line.depth, 6) * (this.width < NARROW ? 6 : 11)}px`;
      const caret = element("span", { class: "caret", "aria-hidden": "true" }, this.holds.has(row) ? (folded ? "▸" : "▾") : "");
      name.prepend(caret);
      if (line.error) name.append(element("span", { class: "failed", "aria-hidden": "true" }, "✗"));
      const found = element("div", {
        class: `row${line.error ? " error" : ""}${line.pieces.length ? "" : " holder"}`, id: `${this.host.id}-row-${row}`, role: "option",
        "aria-selected": String(row === this.chosen), "aria-label": line.told, "aria-setsize": this.shown.length, "aria-posinset": index + 1,
      }, name, this.track(line), element("span", { class: "length" }, line.length));
      found.dataset.row = row;
      return found;
    }

    track(line) {
      const { place, room, data } = this;
      const inView = ([from, to]) => to >= this.seen[0] && from <= this.seen[1];
      const marks = this.ticks.map((tick) => shape("rect", { x: place(tick), width: 1, height: ROW, class: "grid" }));
      for (const gap of data.gaps.filter(inView))
        marks.push(shape("rect", { x: place(gap[0]), width: Math.max(1, place(gap[1]) - place(gap[0])), height: ROW, class: "gap", fill: "url(#hatch-grey)" }));
      const beyond = line.end < this.seen[0] ? `M6,${ROW / 2 - 4}l-5,4l5,4` : line.start > this.seen[1] ? `M${room - 6},${ROW / 2 - 4}l5,4l-5,4` : null;
      // An arrow to where the bar is, when that is not in view.
      if (beyond) return shape("svg", { class: "track", width: room, height: ROW, "aria-hidden": "true" }, ...marks, shape("path", { class: "beyond", d: beyond }));
      const [x1, x2] = [place(line.start), place(line.end)].map((x) => between(-5, x, room + 5));
      if (!line.pieces.length && line.end > line.start)
        marks.push(shape("path", { class: "around", d: `M${x1},${ROW / 2 - 4}v8m0,-4H${Math.max(x2, x1 + 1)}m0,-4v8` }));
      else if (!line.pieces.length) marks.push(shape("circle", { cx: x1, cy: ROW / 2, r: 2, class: "moment" }));
      marks.push(...this.pieces(line.pieces, place, BAR, line.outside));
      for (const [from, to] of line.path.filter(inView)) {
        const x = between(-5, place(from), room + 5);
        marks.push(shape("rect", { class: "path", x, y: BAR.top + BAR.height + 1.5, height: 2.5, width: Math.max(1.5, between(-5, place(to), room + 5) - x) }));
      }
      if (line.first !== null && line.first >= this.seen[0] && line.first <= this.seen[1]) marks.push(...this.firstToken(place(line.first), BAR.top - 3));
      if (line.unended) marks.push(shape("path", { class: "unended", d: `M${x2 + 2},${BAR.top}l5,${BAR.height / 2}l-5,${BAR.height / 2}` }));
      return shape("svg", { class: "track", width: room, height: ROW, "aria-hidden": "true" }, ...marks);
    }

    // Bars of pieces that are in view; of those that fall on one pixel the first.
    pieces(pieces, place, bar, outside = false) {
      const [from, to] = place.domain();
      const end = place.range()[1];
      const marks = [];
      let drawn = -Infinity;
      for (const [start, stop, index] of pieces) {
        if (stop < from || start > to) continue;
        const [x1, x2] = [between(-5, place(start), end + 5), between(-5, place(stop), end + 5)];
        if (x2 - drawn < 0.4) continue;
        drawn = Math.max(x2, x1 + 1);
        const part = this.data.parts[index];
        const look = outside ? { class: "outside", stroke: `var(--${part.colour})` } : {};
        marks.push(shape("rect", { x: x1, y: bar.top, width: drawn - x1, height: bar.height, fill: paintOf(part), ...look }));
      }
      return marks;
    }

    // A mark that stands out on every colour: dark, with a light rim.
    firstToken(x, y) {
      const d = `M${x},${y}v${BAR.height + 5}`;
      return [shape("path", { d, class: "rim" }), shape("path", { d, class: "first" })];
    }

    choose(row) {
      this.chosen = row;
      if (row === null) {
        this.details.replaceChildren(element("p", { class: "hint" }, "Choose a row for its details."));
        return;
      }
      const line = this.data.lines[row];
      const facts = element("dl", {}, ...line.facts.map(([name, value]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, element("bdi", {}, value)))));
      const closer = element("button", { type: "button" }, "Zoom to it");
      closer.addEventListener("click", () => this.zoomTo(row));
      this.details.replaceChildren(element("h4", {}, element("bdi", {}, line.name), closer), facts);
      const at = this.shown.indexOf(row);
      if (at >= 0) {
        const top = at * ROW;
        if (top < this.rows.scrollTop) this.rows.scrollTop = top;
        else if (top + ROW > this.rows.scrollTop + this.rows.clientHeight) this.rows.scrollTop = top + ROW - this.rows.clientHeight;
      }
      this.soon();
    }

    zoomTo(row) {
      const { start, end } = this.data.lines[row];
      const beside = Math.max((end - start) * 0.15, this.whole[1] * LEAST);
      this.look([start - beside, end + beside]);
    }

    typed(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const at = this.shown.indexOf(this.chosen);
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity }[event.key];
      const acts = {
        ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2), "+": () => this.zoom(0.5), "=": () => this.zoom(0.5),
        "-": () => this.zoom(2), 0: () => this.look(this.whole), Enter: () => this.chosen !== null && this.toggle(this.chosen),
      };
      if (step !== undefined && this.shown.length) this.choose(this.shown[at < 0 ? 0 : between(0, at + step, this.shown.length - 1)]);
      else if (acts[event.key]) acts[event.key]();
      else return;
      event.preventDefault();
    }

    // Turned with Ctrl, or pinched, the wheel zooms; sideways it moves along; else it scrolls as everywhere.
    wheeled(event) {
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(between(-100, event.deltaY, 100) * 0.004), this.timeAt(event));
      else if (sideways) this.move(sideways / this.room);
      else return;
      event.preventDefault();
    }

    timeAt(event) {
      return this.place.invert(between(0, event.clientX - this.rows.getBoundingClientRect().left - this.aside, this.room));
    }

    rowAt(event) {
      const found = event.target.closest(".row");
      return found ? Number(found.dataset.row) : null;
    }

    // Pressed and let go, a row is chosen, or folded by its caret; dragged, the time moves along.
    pressed(event) {
      if (event.button !== 0) return;
      const row = this.rowAt(event);
      if (row === null) return;
      const caret = event.target.closest(".caret") && this.holds.has(row);
      const [x, seen] = [event.clientX, this.seen];
      let moved = false;
      const move = (now) => {
        moved = moved || Math.abs(now.clientX - x) > 4;
        if (!moved || event.pointerType === "touch") return;
        const by = ((x - now.clientX) / this.room) * (seen[1] - seen[0]);
        this.look(seen.map((end) => end + by), { held: true });
      };
      const done = (now) => {
        removeEventListener("pointermove", move);
        removeEventListener("pointerup", done);
        removeEventListener("pointercancel", done);
        if (moved || now.type === "pointercancel") return;
        if (caret) this.toggle(row);
        else this.choose(row);
      };
      addEventListener("pointermove", move);
      addEventListener("pointerup", done);
      addEventListener("pointercancel", done);
    }

    closer(event) {
      const row = this.rowAt(event);
      if (row !== null) this.zoomTo(row);
    }
  }

  for (const host of document.querySelectorAll(".waterfall")) {
    try {
      new Waterfall(host, drawings[host.id]);
    } catch (error) {
      // The table below has the same rows.
      host.textContent = "The waterfall could not be drawn; the table below has its rows.";
      reportError(error);
    }
  }
})();
