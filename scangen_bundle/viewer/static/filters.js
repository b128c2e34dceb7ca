// What the list shows: scanners that are compared, labels, flips, a part of the name.
import { byId, element } from "./dom.js";
import { swatch } from "./markers.js";

export class Filters {
  constructor(run, changed) {
    Object.assign(this, { run, changed });
    this.scannerBoxes = run.scanners.map((scanner, i) => this.box("scanners", i, scanner.name + (scanner.unseen ? " *" : ""), swatch(i)));
    this.labelBoxes = run.labels.map(({ label, specimens }) => {
      const name = label < 0 ? "no label" : run.classes[label] ?? `label ${label}`;
      return this.box("labels", label, `${name} (${specimens})`, null);
    });
    byId("all-scanners").onclick = () => this.choose(() => true);
    byId("seen-scanners").onclick = () => this.choose((scanner) => !scanner.unseen);
    byId("unseen-scanners").onclick = () => this.choose((scanner) => scanner.unseen);
    for (const id of ["seen-scanners", "unseen-scanners"]) byId(id).hidden = !run.scanners.some((s) => s.unseen);
    byId("flips-only").onchange = () => this.told();
    let waiting;
    byId("search").oninput = () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.told(), 150);
    };
    this.tell();
  }

  box(place, value, name, picture) {
    const box = element("input", { type: "checkbox", checked: true, value: String(value) });
    box.onchange = () => this.told();
    byId(place).append(element("label", { className: "check" }, box, picture, ` ${name}`));
    return box;
  }

  choose(wanted) {
    this.scannerBoxes.forEach((box, i) => { box.checked = wanted(this.run.scanners[i]); });
    this.told();
  }

  told() {
    this.tell();
    this.changed();
  }

  tell() {
    const chosen = this.scannerBoxes.filter((box) => box.checked).length;
    byId("filter-summary").textContent = chosen === this.run.scanners.length ? "" : `${chosen} of ${this.run.scanners.length} scanners`;
  }

  toggleFlips() {
    byId("flips-only").checked = !byId("flips-only").checked;
    this.told();
  }

  // Positions of the chosen scanners; null for all.
  get scanners() {
    const chosen = this.scannerBoxes.flatMap((box, i) => (box.checked ? [i] : []));
    return chosen.length === this.scannerBoxes.length ? null : chosen;
  }

  // For the server: what is left out is not filtered.
  get parameters() {
    const labels = this.labelBoxes.filter((box) => box.checked).map((box) => box.value);
    return {
      scanners: this.scanners?.join(","),
      labels: labels.length === this.labelBoxes.length ? undefined : labels.join(","),
      flips: byId("flips-only").checked ? 1 : undefined,
      text: byId("search").value.trim() || undefined,
    };
  }
}
