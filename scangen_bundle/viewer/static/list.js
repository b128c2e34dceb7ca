// The list of specimens: only the rows in sight exist, and only the pages in sight are asked for.
import { element } from "./dom.js";
import { strip, stripText } from "./strip.js";

const ROW = 62; // px
const PAGE = 100;

export class SpecimenList {
  // load(offset, limit) gives a page, choose(row) is told what was picked.
  constructor(box, run, load, choose) {
    Object.assign(this, { box, run, load, choose });
    this.space = element("div");
    this.space.style.position = "relative";
    box.append(this.space);
    this.classNumber = run.classes.length - 1;
    this.reset();
    box.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.pick(Number(row.dataset.position));
    });
  }

  reset() {
    this.pages = new Map();
    this.total = 0;
    this.flips = 0;
    this.position = -1;
    this.generation = (this.generation ?? 0) + 1;
  }

  // Ask anew, after a filter has changed; keeps the place of specimen `number` where it is among the first rows.
  async refresh(number) {
    this.reset();
    const first = await this.page(0);
    this.box.scrollTop = 0;
    this.position = Math.max(first.findIndex((row) => row.number === number), first.length ? 0 : -1);
    this.draw();
    return first[this.position] ?? null;
  }

  async page(index) {
    if (!this.pages.has(index)) {
      const generation = this.generation;
      const answer = this.load(index * PAGE, PAGE).then((page) => {
        if (generation === this.generation) {
          [this.total, this.flips] = [page.total, page.flips];
          this.pages.set(index, page.rows);
          this.draw();
        }
        return page.rows;
      }, (problem) => {
        if (generation === this.generation) this.pages.delete(index);
        throw problem;
      });
      this.pages.set(index, answer);
    }
    return this.pages.get(index);
  }

  async row(position) {
    if (position < 0 || position >= this.total) return null;
    return (await this.page(Math.floor(position / PAGE)))[position % PAGE] ?? null;
  }

  async pick(position) {
    const row = await this.row(position);
    if (!row) return;
    this.position = position;
    const [top, bottom] = [position * ROW, (position + 1) * ROW];
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    if (bottom > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = bottom - this.box.clientHeight;
    this.draw();
    this.choose(row);
  }

  step(by) {
    return this.pick(Math.min(Math.max(this.position + by, 0), this.total - 1));
  }

  draw() {
    this.space.style.height = `${this.total * ROW}px`;
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - 3);
    const last = Math.min(this.total, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + 3);
    const rows = [];
    for (let position = first; position < last; position += 1) {
      const page = this.pages.get(Math.floor(position / PAGE));
      if (Array.isArray(page)) rows.push(this.element(page[position % PAGE], position));
      else if (!page) this.page(Math.floor(position / PAGE)).catch(() => {});
    }
    this.space.replaceChildren(...rows);
    const selected = this.position >= first && this.position < last ? `row-${this.position}` : "";
    this.box.setAttribute("aria-activedescendant", selected);
  }

  element(row, position) {
    const label = row.label < 0 ? "no label" : this.run.classes[row.label] ?? `label ${row.label}`;
    const flip = row.flips ? element("span", { className: "chip flip" }, "flips") : null;
    const box = element("div", {
      className: "row", id: `row-${position}`, role: "option", title: row.specimen,
      "aria-selected": String(position === this.position), "aria-setsize": this.total, "aria-posinset": position + 1,
      "aria-label": `${row.specimen}, ${label}${row.flips ? ", flips" : ""}; ${stripText(row.scans, this.run, this.classNumber)}`,
    },
    element("span", { className: "name" }, row.specimen),
    element("span", {}, element("span", { className: "muted" }, `${label} `), flip),
    strip(row.scans, this.run, this.classNumber));
    box.dataset.position = position;
    box.style.top = `${position * ROW}px`;
    box.style.height = `${ROW}px`;
    return box;
  }
}
