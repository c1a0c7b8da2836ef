// Draws the charts of a bond: upload above the axis, download below; legs stacked where they add up.
"use strict";

(() => {
  const place = document.querySelector("[data-charts]");
  if (!place) return;
  const COLOURS = 8; // --chart-1 … of bond.css
  const HEIGHT = 200;
  const SECONDS_BETWEEN = { "15min": 10, "1h": 10, "6h": 60 };
  const SECONDS_BETWEEN_LONG = 240;
  let span = "15min";
  const figures = [...place.querySelectorAll("[data-chart]")].map((element) => ({ element, plot: null, told: null, asked: 0 }));

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const legName = (line) => line.leg ? `${line.leg.interface || line.leg.type} #${line.leg.id}` : "";
  const nameOf = (line) => [legName(line), line.name].filter(Boolean).join(" ");

  function figure(value, unit) {
    if (value === null || value === undefined) return "–";
    const number = Math.abs(value);
    if (unit !== "bit/s") return `${Number(number.toPrecision(3))}${unit ? ` ${unit}` : ""}`;
    const step = [[1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([size]) => number >= size) || [1, ""];
    return `${Number((number / step[0]).toPrecision(3))} ${step[1]}bit/s`;
  }

  // What is drawn of each line: its own values, or added to those of the legs before it.
  function heights(told, isStacked) {
    const sums = { above: [], below: [] };
    return told.lines.map((line) => {
      const sign = line.axis === "below" ? -1 : 1;
      const sum = sums[line.axis];
      return line.values.map((value, number) => {
        if (!isStacked) return value === null ? null : sign * value;
        sum[number] = (sum[number] ?? 0) + (value ?? 0);
        return value === null ? null : sign * sum[number];
      });
    });
  }

  function colours(told) {
    const legs = [...new Set(told.lines.map((line) => line.leg?.id ?? line.name))];
    return told.lines.map((line) => colour(`--chart-${(legs.indexOf(line.leg?.id ?? line.name) % COLOURS) + 1}`));
  }

  function draw(one) {
    const { element, told } = one;
    const target = element.querySelector("[data-plot]");
    const isStacked = "stacked" in element.dataset;
    one.plot?.destroy();
    one.plot = null;
    const isEmpty = told.lines.every((line) => line.values.every((value) => value === null));
    element.querySelector("[data-empty]").hidden = !isEmpty;
    target.hidden = isEmpty;
    if (isEmpty) return;
    const start = Date.parse(told.start) / 1000;
    const times = told.lines[0].values.map((_, number) => start + number * told.bucket);
    const drawn = heights(told, isStacked);
    const shades = colours(told);
    // The tallest first: each next one covers what is below it.
    const order = told.lines.map((_, number) => number);
    if (isStacked) order.reverse();
    const isFilled = isStacked || told.unit === "bit/s";
    const isLong = told.bucket > 600; // more than some days: dates, not hours
    const clock = (at) => { const text = new Date(at * 1000).toISOString(); return isLong ? text.slice(5, 10) : text.slice(11, 16); };
    const axis = { stroke: colour("--site-quiet"), grid: { stroke: colour("--chart-grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    one.plot = new uPlot({
      width: target.clientWidth,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      height: HEIGHT,
      cursor: { sync: { key: "bond" }, drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => low === high ? [Math.min(low, 0), Math.max(high, 1)] : uPlot.rangeNum(Math.min(low, 0), Math.max(high, 0), 0.1, true) } },
      axes: [{ ...axis, values: (_, splits) => splits.map(clock) }, { ...axis, size: 84, values: (_, splits) => splits.map((value) => figure(value, told.unit)) }],
      series: [
        { value: (_, at) => at === null ? "–" : new Date(at * 1000).toISOString().replace("T", " ").slice(0, 19) },
        ...order.map((number) => ({
          label: nameOf(told.lines[number]),
          stroke: shades[number],
          fill: isFilled ? shades[number] : undefined,
          alpha: isFilled && !isStacked ? 0.85 : 1,
          width: isFilled ? 1 : 2,
          points: { show: false },
          value: (_, __, ___, index) => index === null ? "–" : figure(told.lines[number].values[index], told.unit),
        })),
      ],
    }, [times, ...order.map((number) => drawn[number])], target);
  }

  function cell(row, kind, words) {
    const made = document.createElement(kind);
    made.textContent = words;
    row.append(made);
  }

  function tabulate(one) {
    const { element, told } = one;
    if (!told || !element.querySelector("details").open) return;
    const table = document.createElement("table");
    table.className = "table table-sm";
    const head = table.createTHead().insertRow();
    cell(head, "th", "Time (UTC)");
    for (const line of told.lines) cell(head, "th", nameOf(line));
    const body = table.createTBody();
    const start = Date.parse(told.start);
    for (let number = told.lines[0]?.values.length - 1; number >= 0; number -= 1) {
      if (told.lines.every((line) => line.values[number] === null)) continue;
      const row = body.insertRow();
      cell(row, "td", new Date(start + number * told.bucket * 1000).toISOString().replace("T", " ").slice(0, 19));
      for (const line of told.lines) cell(row, "td", figure(line.values[number], told.unit));
    }
    element.querySelector("[data-table]").replaceChildren(table);
  }

  async function ask(one) {
    const { element } = one;
    const address = `${place.dataset.charts}?chart=${element.dataset.chart}&span=${span}`;
    const asked = one.asked = Date.now();
    const fault = element.querySelector("[data-fault]");
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.status === 401 ? "You were signed out: sign in again." : `The server answered ${answer.status}.`);
      const told = await answer.json();
      if (one.asked !== asked) return; // another span was chosen meanwhile
      one.told = told;
      fault.hidden = true;
      draw(one);
      tabulate(one);
      element.dataset.drawn = span;
    } catch (error) {
      fault.textContent = `The chart cannot be shown. ${error.message}`;
      fault.hidden = false;
    }
  }

  const near = new Set();
  const nearby = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const one = figures.find((each) => each.element === target);
      if (isIntersecting) near.add(one); else near.delete(one);
      if (isIntersecting && target.dataset.drawn !== span) ask(one);
    }
  }, { rootMargin: "200px" });
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const one = figures.find((each) => each.element.contains(target));
      if (one?.plot && target.clientWidth) one.plot.setSize({ width: target.clientWidth, height: HEIGHT });
    }
  });
  for (const one of figures) {
    nearby.observe(one.element);
    sizes.observe(one.element.querySelector("[data-plot]"));
    one.element.querySelector("details").addEventListener("toggle", () => tabulate(one));
  }

  place.addEventListener("click", (event) => {
    const button = event.target.closest("[data-span]");
    if (!button) return;
    span = button.dataset.span;
    for (const each of place.querySelectorAll("[data-span]")) each.setAttribute("aria-pressed", String(each === button));
    for (const { element } of figures) {
      element.querySelector("[data-csv]").href = `${place.dataset.charts}?chart=${element.dataset.chart}&span=${span}&format=csv`;
    }
    near.forEach(ask);
  });

  const again = () => figures.filter((one) => one.told).forEach(draw);
  document.addEventListener("themechange", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  setInterval(() => {
    const between = (SECONDS_BETWEEN[span] ?? SECONDS_BETWEEN_LONG) * 1000;
    if (!document.hidden) near.forEach((one) => { if (Date.now() - one.asked >= between) ask(one); });
  }, 5000);
})();
