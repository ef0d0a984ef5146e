// Draws the charts of a page from the data that stands in it. Nothing is computed here but where marks go:
// every figure, name and sentence was written by report/, and report/drawing.py says what each field is.
// Text reaches the page through textContent and SVG text alone, never as HTML.
"use strict";

(() => {
  const drawings = JSON.parse(document.getElementById("drawings").textContent);
  const STROKED = new Set(["times", "plus", "asterisk"]);
  const LANE = 12; // pixels between lanes
  const JITTER = 6; // pixels, to either side
  const BESIDE = 7; // pixels between the raw marks and their figure
  const tipWidth = (width) => (width < 480 ? 18 : 40); // ems
  const colour = (name) => `var(--${name})`;
  const paintOf = (part) => (part.hatched ? `url(#hatch-${part.colour})` : colour(part.colour));

  // Raw marks at one place are spread by the golden ratio: evenly, and alike each time that the page is opened.
  const spread = (index) => (((index + 1) * 0.6180339887498949) % 1) * 2 - 1;

  // An option set for marks whose place is moved by pixels, mark by mark or all alike.
  function moved(axis, options, shift) {
    return Plot.initializer(options, (data, facets, channels, scales) => {
      const scale = scales[axis];
      const at = Array.from(channels[axis].value, (value, index) => scale(value) + shift(index));
      return { data, facets, channels: { [axis]: { value: at } } };
    });
  }

  function look(series, size) {
    const paint = colour(series.colour);
    return STROKED.has(series.symbol)
      ? { symbol: series.symbol, stroke: paint, strokeWidth: 1.5, r: size }
      : { symbol: series.symbol, fill: paint, r: size };
  }

  // Every mark of a series with the pixels that it stands beside its place.
  function shifted(series) {
    const middle = series.lane * LANE;
    const both = series.points.length && series.intervals.length ? BESIDE : 0;
    return {
      ...series,
      points: series.points.map((point, index) => ({ ...point, shift: middle - both + spread(index) * JITTER })),
      intervals: series.intervals.map((one) => ({ ...one, shift: middle + both })),
    };
  }

  // What is said of the mark that the pointer is nearest to.
  function pointedAt(shown, along, across, width) {
    const all = shown.flatMap((series) => [...series.points, ...series.intervals]);
    const options = { [along]: "at", [across]: "value", title: "told", lineWidth: tipWidth(width) };
    return Plot.tip(all, Plot.pointer(moved(along, options, (index) => all[index].shift)));
  }

  // The raw marks of a series: small, translucent, and to one side of their figure when there is one.
  function raw(series, along, across) {
    const inside = series.points.filter((point) => !point.beyond);
    const outside = series.points.filter((point) => point.beyond);
    const place = { [along]: "at", [across]: "value" };
    const shifts = (marks) => (index) => marks[index].shift;
    const edge = { symbol: "triangle", stroke: colour(series.colour), r: 4, rotate: along === "x" ? 0 : 90 };
    const opacity = STROKED.has(series.symbol) ? { strokeOpacity: 0.85 } : { fillOpacity: 0.55 };
    return [
      Plot.dot(inside, moved(along, { ...place, ...look(series, 2.9), ...opacity }, shifts(inside))),
      outside.length ? Plot.dot(outside, moved(along, { ...place, ...edge }, shifts(outside))) : null,
    ];
  }

  // The figures of a series: a line through them where it says so, their intervals, and a mark with a rim.
  function figures(series, along, across) {
    const aside = series.intervals.length ? series.intervals[0].shift : 0;
    const shift = along === "x" ? { dx: aside } : { dy: aside };
    const bounded = series.intervals.filter((one) => one.low !== null && one.high !== null);
    const rule = along === "x" ? Plot.ruleX : Plot.ruleY;
    const paint = colour(series.colour);
    const place = { [along]: "at", [across]: "value", ...shift };
    const rim = STROKED.has(series.symbol) ? { strokeWidth: 2 } : { stroke: "var(--paper)", strokeWidth: 1.2 };
    return [
      series.joined && series.intervals.length > 1
        ? Plot.line(series.intervals, { ...place, stroke: paint, strokeOpacity: 0.55, strokeWidth: 1.25 })
        : null,
      rule(bounded, {
        [along]: "at", [`${across}1`]: "low", [`${across}2`]: "high", stroke: paint, strokeWidth: 2.2, ...shift,
      }),
      Plot.dot(series.intervals, { ...place, ...look(series, 5), ...rim }),
    ];
  }

  // A rule and the band of its interval, behind all marks; its label stands above the frame, inside its ends.
  function ruled(rule, middle) {
    const bounded = rule.low !== null && rule.high !== null;
    const left = rule.at < middle;
    return [
      bounded ? Plot.rectX([rule], { x1: "low", x2: "high", fill: "var(--ink)", fillOpacity: 0.09, ariaLabel: () => `interval of the ${rule.name}` }) : null,
      Plot.ruleX([rule], { x: "at", stroke: "var(--ink)", strokeWidth: 1.5, strokeDasharray: "2 3", ariaLabel: "told" }),
      Plot.text([rule], {
        x: "at", text: "label", frameAnchor: "top", lineAnchor: "bottom", dy: -5, dx: left ? -4 : 4, textAnchor: left ? "start" : "end",
        fill: "currentColor", fontWeight: 600,
      }),
    ];
  }

  // What lies half way along an axis of numbers.
  function middleOf(axis) {
    const ends = [...axis.values, axis.low, axis.high].filter((end) => typeof end === "number");
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    return axis.scale === "log" ? Math.sqrt(low * high) : (low + high) / 2;
  }

  function scaleOf(axis) {
    if (axis.scale === "category") return { type: "point", domain: axis.values, padding: 0.6, label: null };
    const scale = { type: axis.scale === "log" ? "log" : "linear", label: null };
    if (axis.scale === "linear" && axis.low !== null && axis.high !== null) scale.domain = [axis.low, axis.high];
    return scale;
  }

  // Where an axis has to begin (or end) though no mark stands there: an unseen mark stretches it.
  function stretched(axis, channel) {
    if (axis.scale === "category") return null;
    const ends = [axis.low, axis.high].filter((end) => end !== null);
    return Plot.dot(ends, { [channel]: (end) => end, r: 0, fill: "none", ariaHidden: "true" });
  }

  const ticks = (channel, width) => (channel === "y" ? 5 : Math.max(3, Math.floor(width / 100)));

  function axisMark(axis, channel, width) {
    const mark = channel === "x" ? Plot.axisX : Plot.axisY;
    const options = { label: axis.label || null, labelArrow: "none", tickSize: axis.scale === "category" ? 0 : 4 };
    options.labelAnchor = channel === "x" ? "right" : "top";
    if (channel === "x") options.labelOffset = 36;
    if (axis.scale === "category") return mark({ ...options, tickPadding: 6 });
    // As a text and not a format, of which Plot would leave out some on a logarithmic axis.
    const text = (tick) => tick.toLocaleString("en-US", { maximumFractionDigits: 9 });
    // Where there is no room for all, every second one goes, or more, and never the last.
    const step = channel === "x" ? Math.ceil((axis.values.length * 34) / Math.max(100, width - 150)) : 1;
    const shown = axis.values.filter((_, index) => (axis.values.length - 1 - index) % step === 0);
    if (shown.length) return mark(shown, { ...options, text });
    return mark({ ...options, ticks: ticks(channel, width) });
  }

  // Room for the longest name, and never so much that nothing is left for the marks.
  const widest = (names, width) => Math.min(0.4 * width, 14 + 6.7 * Math.max(0, ...names.map((name) => name.length)));

  function samples(drawing, width) {
    const upright = drawing.along === "x";
    const across = upright ? "y" : "x";
    const { position, value, series, guides, rules } = drawing;
    const shown = series.filter((one) => one.points.length || one.intervals.length).map(shifted);
    const grid = upright ? Plot.gridY : Plot.gridX;
    return Plot.plot({
      width,
      height: upright ? (rules.length ? 318 : 300) : 60 + 56 * position.values.length,
      marginLeft: upright ? 52 : widest(position.values, width),
      marginRight: 18,
      marginTop: upright ? (rules.length ? 44 : 26) : 8,
      marginBottom: upright ? 40 : 42,
      [drawing.along]: { ...scaleOf(position), inset: position.scale === "category" ? 0 : 22 },
      [across]: { ...scaleOf(value), nice: value.high === null, insetTop: upright ? 6 : 0, insetLeft: upright ? 0 : 8, insetRight: upright ? 0 : 8 },
      marks: [
        value.values.length ? grid(value.values) : grid({ ticks: ticks(across, width) }),
        axisMark(position, drawing.along, width),
        axisMark(value, across, width),
        stretched(position, drawing.along),
        stretched(value, across),
        ...rules.flatMap((rule) => ruled(rule, middleOf(position))),
        ...guides.map((guide) =>
          Plot.line(guide.line, { x: "0", y: "1", stroke: colour(guide.colour), strokeWidth: 1.5, strokeDasharray: "5 4", clip: true })),
        ...shown.flatMap((one) => raw(one, drawing.along, across)),
        ...shown.flatMap((one) => figures(one, drawing.along, across)),
        pointedAt(shown, drawing.along, across, width),
      ],
    });
  }

  function stacks(drawing, width) {
    const cells = drawing.rows.flatMap((row) =>
      row.values.map((amount, index) => ({
        row: row.name, amount, part: drawing.parts[index].name, told: row.name ? `${row.name}, ${row.told[index]}` : row.told[index],
      })));
    const totals = drawing.rows.map((row) => ({ ...row, total: row.values.reduce((sum, one) => sum + one, 0) }));
    const named = drawing.rows.some((row) => row.name);
    const marginLeft = named ? widest(drawing.rows.map((row) => row.name), width) : 4;
    const marginRight = widest(drawing.rows.map((row) => row.end), width);
    return Plot.plot({
      width,
      height: 52 + (drawing.rows.length > 1 ? 27 : 38) * drawing.rows.length,
      marginLeft,
      marginRight,
      marginTop: 6,
      marginBottom: 40,
      x: { label: null },
      y: { type: "band", domain: drawing.rows.map((row) => row.name), axis: null, padding: named ? 0.3 : 0.1 },
      color: { type: "categorical", domain: drawing.parts.map((part) => part.name), range: drawing.parts.map(paintOf) },
      marks: [
        Plot.gridX({ ticks: ticks("x", width) }),
        Plot.axisX({ label: drawing.label, labelArrow: "none", labelAnchor: "right", labelOffset: 36, ticks: ticks("x", width), tickSize: 4 }),
        named ? Plot.axisY({ tickSize: 0, label: null }) : null,
        Plot.barX(cells, { x: "amount", y: "row", fill: "part", stroke: "var(--paper)", strokeWidth: 1, title: "told", tip: { lineWidth: tipWidth(width) } }),
        Plot.text(totals, { x: "total", y: "name", text: "end", dx: 7, textAnchor: "start", fill: "currentColor", stroke: "var(--paper)", strokeWidth: 3 }),
      ],
    });
  }

  // Upright bars, side by side without names: pointed at, one tells all that is said of it.
  function columns(drawing, width) {
    const totals = drawing.columns.map((column) => ({ ...column, total: column.values.reduce((sum, one) => sum + one, 0) }));
    const cells = drawing.columns.flatMap((column) =>
      column.values.flatMap((amount, index) => (amount > 0 ? [{ at: column.at, amount, part: drawing.parts[index].name }] : [])));
    const ends = [0.5, Math.max(...drawing.columns.map((column) => column.at)) + 0.5];
    const rim = drawing.columns.length * 6 < width ? 0.75 : 0;
    const signed = totals.filter((column) => column.sign);
    const whole = (tick) => (Number.isInteger(tick) ? tick.toLocaleString("en-US") : "");
    return Plot.plot({
      width,
      height: 300,
      marginLeft: 62,
      marginRight: 12,
      marginTop: 26,
      marginBottom: 40,
      x: { type: "linear", domain: ends, label: null },
      y: { label: null, nice: true, insetTop: signed.length ? 12 : 0 },
      color: { type: "categorical", domain: drawing.parts.map((part) => part.name), range: drawing.parts.map(paintOf) },
      marks: [
        Plot.gridY({ ticks: 5 }),
        Plot.axisX({ label: drawing.position, labelArrow: "none", labelAnchor: "right", labelOffset: 36, ticks: Math.min(ticks("x", width), drawing.columns.length), tickFormat: whole, tickSize: 4 }),
        Plot.axisY({ label: drawing.label, labelArrow: "none", labelAnchor: "top", ticks: 5, tickSize: 4 }),
        Plot.rectY(cells, Plot.stackY({ x1: (one) => one.at - 0.5, x2: (one) => one.at + 0.5, y: "amount", fill: "part", order: drawing.parts.map((part) => part.name), inset: rim, shapeRendering: rim ? "auto" : "crispEdges" })),
        signed.length ? Plot.dot(signed, { x: "at", y: "total", dy: -7, symbol: "triangle", rotate: 180, fill: "var(--ink)", r: 3 }) : null,
        Plot.ruleX(totals, Plot.pointerX({ x: "at", y: "total", stroke: "var(--ink)", strokeOpacity: 0.6 })),
        Plot.tip(totals, Plot.pointerX({ x: "at", y: "total", title: "told", lineWidth: tipWidth(width) })),
      ],
    });
  }

  // Stripes of a colour, for parts that are hatched: once in the page, whoever refers to them.
  function hatch() {
    const names = new Set(Object.values(drawings).flatMap((drawing) => (drawing.parts || []).filter((part) => part.hatched).map((part) => part.colour)));
    if (!names.size) return;
    const plain = (name, attributes, ...inside) => {
      const one = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
      one.append(...inside);
      return one;
    };
    const patterns = [...names].map((name) =>
      plain("pattern", { id: `hatch-${name}`, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        plain("rect", { width: 5, height: 5, fill: "var(--raised)" }),
        plain("rect", { width: 1.6, height: 5, fill: colour(name) })));
    const host = plain("svg", { width: 0, height: 0, "aria-hidden": "true" }, plain("defs", {}, ...patterns));
    host.style.position = "absolute";
    document.body.append(host);
  }

  // A list of what each mark is, drawn by the same code as the marks themselves.
  function legend(drawing) {
    const list = document.createElement("ul");
    list.className = "legend";
    const entry = (name, mark) => {
      const item = document.createElement("li");
      const sign = Plot.plot({ width: 16, height: 16, margin: 0, axis: null, x: { domain: [0, 1] }, y: { domain: [0, 1] }, marks: [mark].flat() });
      sign.setAttribute("aria-hidden", "true");
      item.append(sign, document.createTextNode(name));
      list.append(item);
    };
    const swatch = (part) => Plot.rect([0], { x1: 0, x2: 1, y1: 0.1, y2: 0.9, fill: paintOf(part) });
    if (drawing.kind === "columns") {
      drawing.parts.forEach((part, index) => {
        if (drawing.columns.some((column) => column.values[index] > 0)) entry(part.name, swatch(part));
      });
      if (drawing.columns.some((column) => column.sign))
        entry(drawing.sign, Plot.dot([0.5], { x: (d) => d, y: (d) => d, symbol: "triangle", rotate: 180, fill: "var(--ink)", r: 4 }));
      return list;
    }
    if (drawing.kind === "stacks") {
      const alone = drawing.rows.length === 1 ? drawing.rows[0] : null;
      drawing.parts.forEach((part, index) => {
        if (!drawing.rows.some((row) => row.values[index] > 0)) return;
        entry(alone ? alone.told[index] : part.name, swatch(part));
      });
      return list;
    }
    const shown = drawing.series.filter((one) => one.points.length || one.intervals.length);
    if (shown.length + drawing.guides.length + drawing.rules.length < 2) return null;
    for (const one of shown) entry(one.name, Plot.dot([0.5], { x: (d) => d, y: (d) => d, ...look(one, 4.5) }));
    for (const guide of drawing.guides)
      entry(guide.name, Plot.line([[0, 0.5], [1, 0.5]], { stroke: colour(guide.colour), strokeWidth: 1.5, strokeDasharray: "5 4" }));
    for (const rule of drawing.rules)
      entry(rule.name, [
        rule.low !== null ? Plot.rect([0], { x1: 0, x2: 1, y1: 0, y2: 1, fill: "var(--ink)", fillOpacity: 0.14 }) : null,
        Plot.ruleX([0.5], { stroke: "var(--ink)", strokeWidth: 1.5, strokeDasharray: "2 3" }),
      ]);
    return list;
  }

  const KINDS = { samples, stacks, columns };
  const widths = new Map();

  function draw(host) {
    const width = Math.floor(host.clientWidth);
    if (!width || widths.get(host) === width) return;
    widths.set(host, width);
    try {
      const drawing = drawings[host.id];
      const chart = KINDS[drawing.kind](drawing, width);
      const title = document.getElementById(`${host.id}-title`).textContent;
      chart.setAttribute("role", "img");
      chart.setAttribute("aria-label", `${title}. The table below has its figures.`);
      const signs = legend(drawing);
      host.replaceChildren(...(signs ? [signs, chart] : [chart]));
    } catch (error) {
      // One chart that fails takes no other with it, and its table is there all the same.
      host.textContent = "This chart could not be drawn; the table below has its figures.";
      reportError(error);
    }
  }

  const hosts = [...document.querySelectorAll(".drawing")];
  hatch();
  hosts.forEach(draw);
  const observer = new ResizeObserver((entries) => requestAnimationFrame(() => entries.forEach((entry) => draw(entry.target))));
  hosts.forEach((host) => observer.observe(host));

  // Another script's drawing, or another state of one: { host, drawing }.
  document.addEventListener("draw", ({ detail: { host, drawing } }) => {
    drawings[host.id] = drawing;
    widths.delete(host);
    draw(host);
    observer.observe(host);
  });

  // On paper nothing can be opened, so the tables are; those that were closed are closed again afterwards.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open]):not(.long)")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
})();
