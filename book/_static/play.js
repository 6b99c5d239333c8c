// Players: their controls ask for a point, the nearest that is stored is shown, in charts by Vega-Lite and in words.
const playing = {};

// Of the points that agree with the control moved last, the one whose other controls are fewest steps away; the first of equals.
playing.nearest = function (points, sizes, wanted, moved) {
  let best = points[0], least = Infinity;
  for (const point of points) {
    if (moved !== null && point.at[moved] !== wanted[moved]) continue;
    const away = point.at.reduce((sum, at, i) => sum + Math.abs(at - wanted[i]) / Math.max(1, sizes[i] - 1), 0);
    if (away < least) [best, least] = [point, away];
  }
  return best;
};

playing.start = async function (section) {
  const told = JSON.parse(section.querySelector("script").textContent);
  const controls = [...section.querySelectorAll("[data-knob]")];
  const sizes = told.knobs.map(texts => texts.length);
  const boxes = [...section.querySelectorAll(".play-chart")];
  const views = [];

  async function show(moved) {
    const wanted = controls.map(control => Number(control.value));
    controls.forEach((control, i) => {
      if (control.type != "range") return;
      control.setAttribute("aria-valuetext", told.knobs[i][wanted[i]]);
      control.nextElementSibling.textContent = told.knobs[i][wanted[i]];
    });
    const point = playing.nearest(told.points, sizes, wanted, moved);
    const exact = point.at.every((at, i) => at === wanted[i]);
    const head = exact ? "Stored runs" : "Nothing is stored at this point. Nearest stored runs";
    section.querySelector("[role=status] p").textContent = `${head}: ${point.name}.`;
    section.querySelector("[role=status] ul").replaceChildren(...point.words.map(line => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
    for (const [i, box] of boxes.entries()) {
      const chart = told.charts[i];
      box.setAttribute("aria-label", `${chart.shows} ${point.name}. ${point.words.join("; ")}.`);
      if (moved !== null && chart.along !== null && told.charts.some(({ along }) => along === moved)) box.hidden = chart.along !== moved;
      if (box.hidden) continue;
      views[i] ??= vegaEmbed(box.firstElementChild, chart.spec, { actions: false, renderer: "svg" });
      const { view } = await views[i];
      for (const { name } of chart.spec.params || []) view.signal(name, point.at[Number(name.slice(1))]);
      await view.runAsync();
    }
  }

  await show(null);
  controls.forEach((control, i) => control.addEventListener("input", () => show(i)));
  section.dataset.ready = "";
};

addEventListener("DOMContentLoaded", () => document.querySelectorAll(".play").forEach(playing.start));
