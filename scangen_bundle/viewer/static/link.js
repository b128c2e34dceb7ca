// Linked panes: the one that is moved leads, the others are put at the same place before it is drawn.
import { shared } from "./view.js";

const TAKES_THE_LEAD = ["canvas-press", "canvas-scroll", "canvas-pinch", "canvas-drag", "canvas-double-click"];

export class Link {
  constructor() {
    this.panes = [];
    this.lead = null;
    this.on = true;
    this.taken = () => {};
  }

  add(pane) {
    this.panes.push(pane);
    for (const event of TAKES_THE_LEAD) pane.viewer.addHandler(event, () => this.take(pane));
    pane.viewer.canvas.addEventListener("focus", () => this.take(pane));
    pane.viewer.addHandler("viewport-change", () => this.follow(pane));
    pane.viewer.addHandler("resize", () => requestAnimationFrame(() => this.lead && this.follow(this.lead)));
    if (!this.lead) this.take(pane);
  }

  take(pane) {
    if (this.lead === pane) return;
    this.lead?.box.classList.remove("lead");
    this.lead = pane;
    pane.box.classList.add("lead");
    this.taken(pane);
  }

  // The panes that go along with a pane.
  others(pane) {
    return this.on && pane.linked ? this.panes.filter((other) => other !== pane && other.linked && other.viewer) : [];
  }

  follow(pane) {
    if (pane !== this.lead || !pane.viewer?.viewport) return;
    const view = pane.view;
    for (const other of this.others(pane)) other.look(view);
  }

  // Show all that the linked scans have in common, and each other scan whole.
  fit() {
    const linked = this.panes.filter((pane) => pane.linked && pane.viewer);
    const together = this.on && linked.length > 1;
    for (const pane of this.panes) {
      if (pane.viewer) pane.fit(together && pane.linked ? shared(linked.map((one) => one.bounds)) : pane.bounds);
    }
  }

  move(dx, dy) {
    const pane = this.lead;
    if (!pane?.viewer) return;
    const { x, y, scale } = pane.target;
    const [width, height] = pane.size;
    pane.look({ x: x + (dx * width) / scale, y: y + (dy * height) / scale, scale }, false);
  }

  zoom(by) {
    const pane = this.lead;
    if (!pane?.viewer) return;
    const { x, y, scale } = pane.target;
    const viewport = pane.viewer.viewport;
    const [least, most] = [viewport.getMinZoom(), viewport.getMaxZoom()].map((zoom) => zoom * pane.size[0]);
    pane.look({ x, y, scale: Math.min(Math.max(scale * by, least), most) }, false);
  }

  clear() {
    for (const pane of this.panes) pane.destroy();
    this.panes = [];
    this.lead = null;
  }
}
