/* The population: a list that a search box shortens, once per section that shows one population. */
function populationLabel(population) {
  const above = population.path.split("/").slice(0, -1).slice(-2).join(" › ");
  return population.name + (above ? "  (" + above + ")" : "");
}

function setUpPickers() {
  const several = new Set(data.populations.map((population) => population.strategy)).size > 1;
  for (const picker of document.querySelectorAll(".picker")) {
    const search = picker.querySelector("input"), select = picker.querySelector("select");
    const list = () => {
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean), groups = new Map();
      data.populations.forEach((population, index) => {
        const words = (population.strategy + " " + population.path + " " + population.definition).toLowerCase();
        if (!wanted.every((word) => words.includes(word))) return;
        if (!groups.has(population.strategy)) groups.set(population.strategy, []);
        groups.get(population.strategy).push(el("option", { value: index }, populationLabel(population)));
      });
      select.replaceChildren(...[...groups].flatMap(([strategy, entries]) => (several ? el("optgroup", { label: strategy }, entries) : entries)));
      if (!groups.size) select.append(el("option", { value: "", disabled: true }, "no population matches"));
      select.value = chosen.population;
      return [...groups.values()].flat();
    };
    search.addEventListener("input", () => {
      const left = list();
      if (left.length && select.selectedIndex < 0) chosen.choose(Number(left[0].value));
    });
    select.addEventListener("change", () => chosen.choose(Number(select.value)));
    chosen.listeners.push(() => {
      select.value = chosen.population;
      if (select.selectedIndex < 0) { search.value = ""; list(); }
    });
    list();
  }
  chosen.listeners.push(describe);
  describe();
}

function describe() {
  const population = data.populations[chosen.population];
  for (const line of document.querySelectorAll(".population-of"))
    line.replaceChildren(...(population
      ? [el("b", {}, population.name), " · " + population.strategy + " · " + population.path.split("/").join(" › ") + (population.definition ? " · " + population.definition : "")]
      : ["No population has an absolute count in this study; percentages are in counts.csv."]));
}
