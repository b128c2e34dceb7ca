// The specimen in sight: its panes, their links and overlays, its table. A newer specimen ends what an older one waits for.
import { ask } from "./api.js";
import { drawLegend, makeScale, short } from "./colours.js";
import { byId, element } from "./dom.js";
import { fileName, saveTiles, saveView, viewFacts } from "./exporting.js";
import { Link } from "./link.js";
import { swatch } from "./markers.js";
import { Pane } from "./pane.js";
import { percent, strip } from "./strip.js";

export const MOST_PANES = 12;

export class Room {
  constructor(run) {
    this.run = run;
    this.link = new Link();
    this.link.taken = (pane) => this.offerTiles(pane);
    this.specimen = null;
    this.generation = 0;
    this.classNumber = run.classes.length - 1;
    this.panes = [];
    new ResizeObserver(() => this.drawStrip()).observe(byId("strip"));
    byId("panes").addEventListener("pointermove", (event) => this.hover(event));
    byId("panes").addEventListener("pointerleave", () => this.cross(null, null));
  }

  async show(number, scanners) {
    const generation = (this.generation += 1);
    const specimen = await ask(`api/specimens/${number}`);
    if (generation !== this.generation) return;
    specimen.scans = specimen.scans.filter((scan) => !scanners || scanners.includes(scan.scanner));
    this.specimen = specimen;
    this.tellSpecimen();
    this.link.clear();
    byId("panes").replaceChildren();
    byId("panes").classList.remove("has-solo");
    this.solo = null;
    this.overlays = this.scale = null;
    const shown = specimen.scans.filter((scan) => scan.slide).slice(0, MOST_PANES);
    this.panes = shown.map((scan, i) => new Pane(scan, this.run, this.classNumber, () => this.showAlone(i)));
    byId("panes").append(...this.panes.map((pane) => pane.box));
    this.layOut();
    this.tellState(shown.length ? "registering the scans …" : this.whyNoPanes());
    byId("table-box").open = byId("table-box").open || !shown.length;
    if (!shown.length) return;
    const opened = await Promise.all(this.panes.map((pane) => pane.open()));
    if (generation !== this.generation) return;
    this.panes.filter((_, i) => opened[i]).forEach((pane) => {
      this.link.add(pane);
      pane.fit();
    });
    document.documentElement.dataset.opened = String(number);
    await this.register(generation, opened.filter(Boolean).length);
    if (generation !== this.generation) return;
    await this.showOverlay();
    document.documentElement.dataset.ready = String(number);
  }

  get numbers() {
    return this.panes.map((pane) => pane.scan.number);
  }

  async register(generation, readable) {
    try {
      const { scans } = await ask("api/links", { scans: this.numbers.join(",") });
      if (generation !== this.generation) return;
      this.panes.forEach((pane, i) => pane.viewer && pane.place(scans[i]));
    } catch (problem) {
      if (generation === this.generation) this.tellState(`the scans could not be registered: ${problem.message}`);
      return;
    }
    this.link.fit();
    const linked = this.panes.filter((pane) => pane.viewer && pane.linked).length;
    const alone = this.panes.filter((pane) => pane.viewer && !pane.linked);
    const missing = this.specimen.scans.length - this.panes.length;
    const words = [];
    if (linked > 1) words.push(`${linked} scans are linked by registration`);
    if (readable > 1 && linked < 2) words.push("the scans are not linked, since they could not be registered");
    else if (alone.length) words.push(`not linked: ${alone.map((pane) => `${pane.title} (${pane.answer.reason})`).join(", ")}`);
    if (missing > 0) words.push(`${missing} more ${missing > 1 ? "scans are" : "scan is"} in the table only`);
    this.tellState(words.join("; "));
  }

  async showOverlay() {
    const generation = this.generation;
    if (byId("overlay").value !== "none" && !this.overlays && this.panes.length) {
      this.overlays = ask("api/overlays", { scans: this.numbers.join(",") });
      this.overlays.catch(() => {});
    }
    let answer = null;
    try {
      answer = await this.overlays;
    } catch (problem) {
      if (generation === this.generation) this.tellState(`no overlay: ${problem.message}`);
    }
    if (generation !== this.generation) return;
    const overlay = byId("overlay").value;
    this.scale = answer ? makeScale(overlay, answer.scans, this.run, answer.spread_of) : null;
    this.tellScale();
    if (!answer) return;
    const opacity = Number(byId("opacity").value) / 100;
    this.panes.forEach((pane, i) => pane.showTiles(answer.scans[i], overlay, this.scale, opacity));
    if (overlay !== "none") this.tellOverlay(answer, overlay);
  }

  tellScale() {
    const legend = byId("legend");
    legend.hidden = !this.scale;
    if (!this.scale) return;
    const { title, low, high, range } = this.scale;
    const bar = element("canvas", { width: 90, height: 10, role: "img", "aria-label": `colours of ${title}` });
    drawLegend(bar, this.scale);
    const words = `${short(high)} ${title} (here ${range.map(short).join(" to ")})`;
    legend.replaceChildren(element("span", {}, short(low)), bar, element("span", {}, words));
  }

  tellOverlay(answer, overlay) {
    const without = this.panes.filter((_, i) => !answer.scans[i].values?.[overlay]);
    if (!without.length) return;
    const reasons = new Set(answer.scans.map((scan) => scan.reason).filter(Boolean));
    const why = [...reasons].join("; ") || (overlay === "spread" ? "it needs linked scans" : "the run's network is not there");
    const who = without.length === this.panes.length ? "" : ` of ${without.map((pane) => pane.title).join(", ")}`;
    this.tellState(`no ${overlay}${who}: ${why}`);
  }

  whyNoPanes() {
    return this.run.slides ? "no slide of this specimen is known" : "no slides are known: name the manifest with --manifest";
  }

  tellState(text) {
    byId("state").textContent = text;
  }

  tellSpecimen() {
    const { specimen, patient, label, scans } = this.specimen;
    byId("specimen-name").textContent = specimen;
    const name = label < 0 ? "no label" : this.run.classes[label] ?? `label ${label}`;
    const classes = new Set(scans.map((scan) => scan.class).filter((number) => number !== null));
    const facts = [`patient ${patient || "not named"}`, name, `${scans.length} scans`, classes.size > 1 ? "its class flips" : ""];
    byId("specimen-facts").textContent = facts.filter(Boolean).join(" · ");
    this.drawStrip();
    this.fillTable();
  }

  drawStrip() {
    const box = byId("strip");
    if (!this.specimen || !box.clientWidth) return;
    box.replaceChildren(strip(this.specimen.scans, this.run, this.classNumber, "large", box.clientWidth));
  }

  fillTable() {
    const heads = ["Scanner", ...(this.run.classes.length > 2 ? this.run.classes : [`p(${this.run.classes[1]})`]), "Class", "Slide"];
    const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
    const rows = this.specimen.scans.map((scan) => {
      const { name, unseen } = this.run.scanners[scan.scanner];
      const first = this.run.classes.length > 2 ? 0 : 1;
      const values = (scan.probability ?? this.run.classes.map(() => null)).slice(first);
      return element("tr", {}, element("th", { scope: "row" }, swatch(scan.scanner), ` ${name}${unseen ? " *" : ""}`),
        ...values.map((value) => element("td", {}, percent(value))),
        element("td", {}, scan.class === null ? "–" : this.run.classes[scan.class]),
        element("td", { className: "id" }, scan.slide_id));
    });
    byId("table").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
  }

  // As many columns as make the shorter side of a pane longest.
  layOut() {
    const box = byId("panes");
    const count = this.panes.length;
    if (!count) return;
    const narrow = window.matchMedia("(max-width: 760px)").matches;
    const sides = this.panes.map((_, i) => {
      const [columns, rows] = [i + 1, Math.ceil(count / (i + 1))];
      return Math.min(box.clientWidth / columns, Math.max(box.clientHeight, 300) / rows - 50);
    });
    const columns = narrow ? Math.min(count, 2) : sides.indexOf(Math.max(...sides)) + 1;
    box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    box.style.gridTemplateRows = narrow ? "" : `repeat(${Math.ceil(count / columns)}, minmax(11rem, 1fr))`;
  }

  // One scan alone, or all again: by its position, or null.
  showAlone(position) {
    const pane = position === null || this.solo === this.panes[position] ? null : this.panes[position];
    if (position !== null && !this.panes[position]) return;
    this.solo?.box.classList.remove("solo");
    this.solo = pane;
    pane?.box.classList.add("solo");
    byId("panes").classList.toggle("has-solo", Boolean(pane));
    for (const one of this.panes) one.tellAlone(one === pane);
    if (pane?.viewer) this.link.take(pane);
  }

  setLinked(on) {
    this.link.on = on;
    if (on && this.link.lead) this.link.follow(this.link.lead);
    if (!on) this.cross(null, null);
  }

  hover(event) {
    const pane = this.panes.find((one) => one.viewer && one.frame.contains(event.target));
    if (pane) this.cross(pane, pane.at(event.clientX, event.clientY));
  }

  // Show a place of one pane on all panes that go along with it.
  cross(pane, point) {
    this.hovered = { pane, point };
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = null;
      const { pane: over, point: at } = this.hovered;
      const along = over ? [over, ...this.link.others(over)] : [];
      for (const one of this.panes) if (one.viewer) one.showCross(along.includes(one) ? at : null);
    });
  }

  offerTiles(pane) {
    byId("save-geojson").title = `tiles of ${pane.title} for QuPath`;
  }

  async savePicture() {
    const shown = this.solo ? [this.solo] : this.panes;
    if (!shown.length) return;
    const facts = viewFacts(this.specimen, this.run, this.classNumber, this.scale);
    await saveView(shown, facts, fileName(this.specimen.specimen, "view.png"));
  }

  async saveGeojson() {
    const pane = this.link.lead ?? this.panes[0];
    if (!pane) return;
    try {
      await saveTiles(pane.scan.number, this.numbers, fileName(`${pane.scan.slide_id}.geojson`));
      this.tellState(`saved the tiles of ${pane.title}`);
    } catch (problem) {
      this.tellState(`no tiles of ${pane.title}: ${problem.message}`);
    }
  }
}
