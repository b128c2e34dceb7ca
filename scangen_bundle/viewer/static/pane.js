// One scan in an OpenSeadragon viewer, with what is drawn above it: tiles, cross-hair, scale bar.
import { ask } from "./api.js";
import { element } from "./dom.js";
import { swatch } from "./markers.js";
import { drawScaleBar, drawCross } from "./marks.js";
import { tileAt, paintTiles } from "./overlay.js";
import { percent } from "./strip.js";
import { bounds, fitting, apply, invert } from "./view.js";

const UNITS = 1000; // µm, or px, per unit of the frame that panes share
const FINEST = 16; // screen px per px of the slide, at most
const OPTIONS = {
  drawer: "canvas", showNavigationControl: false, showNavigator: false, animationTime: 0.3, springStiffness: 8,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true, flickEnabled: false },
  gestureSettingsTouch: { dblTapToZoom: true, flickEnabled: false },
  visibilityRatio: 0.05, minZoomImageRatio: 0.2, maxZoomPixelRatio: FINEST, imageLoaderLimit: 6, maxImageCacheCount: 120,
  placeholderFillStyle: null, immediateRender: false,
};

export class Pane {
  constructor(scan, run, classNumber, showAlone) {
    const scanner = run.scanners[scan.scanner];
    Object.assign(this, { scan, run, scanner, linked: false, placed: null, tiles: null, overlay: null, scale: null, cross: null });
    const score = scan.probability?.[classNumber];
    const verdict = scan.class === null ? "" : run.classes[scan.class];
    this.title = scanner.name + (scanner.unseen ? " *" : "");
    this.link = element("span", { className: "link" });
    this.summary = `${percent(score)} ${verdict}`.trim();
    this.alone = element("button", { type: "button", className: "alone", onclick: showAlone });
    this.tellAlone(false);
    this.head = element("header", { title: scan.slide_id }, swatch(scan.scanner),
      element("span", { className: "name" }, this.title), element("span", { className: "verdict" }, this.summary),
      this.alone);
    this.frame = element("div", { className: "view" });
    this.words = element("span", {});
    this.readout = element("p", { className: "readout" }, this.link, this.words);
    const name = `${this.title}, ${this.summary}`;
    this.box = element("section", { className: "pane", role: "group", "aria-label": name }, this.head, this.frame, this.readout);
  }

  // Show the slide, or why it cannot be shown. True where it is shown.
  async open() {
    try {
      this.slide = await ask(`api/slides/${this.scan.number}`);
    } catch (problem) {
      this.refuse(problem.message);
      return false;
    }
    if (this.gone) return false;
    const { width, height, tile, levels, mpp } = this.slide;
    const side = (mpp ?? 1) / UNITS;
    this.matrix = [[side, 0, 0], [0, side, 0]];
    this.viewer = OpenSeadragon({ ...OPTIONS, element: this.frame });
    const canvas = this.viewer.canvas;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `Slide of ${this.title}. Arrow keys move, plus and minus zoom, 0 fits.`);
    this.above = element("canvas", { className: "above", "aria-hidden": "true" });
    this.frame.append(this.above);
    this.viewer.addHandler("canvas-key", (event) => { event.preventDefaultAction = true; });
    for (const name of ["update-viewport", "resize"]) this.viewer.addHandler(name, () => this.drawAbove());
    const number = this.scan.number;
    const source = {
      width, height, tileSize: tile, minLevel: levels[0], maxLevel: levels[1],
      getTileUrl: (level, x, y) => `tiles/${number}/${level}/${x}_${y}.jpg`,
    };
    await new Promise((done, failed) => {
      this.viewer.addTiledImage({ tileSource: source, width: width * side, success: done, error: failed });
    });
    if (this.gone) return false;
    this.viewer.addHandler("tile-load-failed", () => { this.damaged = true; this.tellLink(); });
    return true;
  }

  tellAlone(alone) {
    this.alone.textContent = alone ? "×" : "⤢";
    this.alone.title = alone ? "show all scans" : `show ${this.title} alone`;
    this.alone.setAttribute("aria-label", this.alone.title);
  }

  refuse(reason) {
    this.frame.replaceChildren(element("p", { className: "reason" }, reason));
    this.link.textContent = "";
  }

  // Put the scan where registration says.
  place(answer) {
    this.linked = answer.linked;
    this.answer = answer;
    if (answer.linked && this.image) {
      this.image.setRotation(answer.degrees, true);
      this.image.setWidth(answer.width, true);
      this.image.setPosition(new OpenSeadragon.Point(answer.x, answer.y), true);
      this.matrix = answer.matrix;
    }
    this.tellLink();
    this.drawAbove();
  }

  tellLink() {
    const { linked = false, reason = "", error = 0, note = "" } = this.answer ?? {};
    const unit = this.slide?.mpp ? "µm" : "px";
    const state = linked ? `linked${error ? ` ±${error < 1 ? error.toPrecision(1) : error.toFixed(1)} ${unit}` : ""}` : "not linked";
    this.link.className = linked && !note && !this.damaged ? "link" : "link unlinked";
    this.link.textContent = [this.answer ? state : "", this.damaged ? "damaged: parts are missing" : ""].filter(Boolean).join(", ");
    this.link.title = note || reason;
  }

  get image() {
    return this.viewer?.world.getItemAt(0);
  }

  get size() {
    return [this.frame.clientWidth, this.frame.clientHeight];
  }

  get bounds() {
    return bounds(this.matrix, this.slide.width, this.slide.height);
  }

  // Where the pane looks: the middle in the shared frame, and screen px per unit of it.
  get view() {
    const viewport = this.viewer.viewport;
    const middle = viewport.getCenter(true);
    return { x: middle.x, y: middle.y, scale: viewport.getZoom(true) * viewport.getContainerSize().x };
  }

  get target() {
    const viewport = this.viewer.viewport;
    const middle = viewport.getCenter(false);
    return { x: middle.x, y: middle.y, scale: viewport.getZoom(false) * viewport.getContainerSize().x };
  }

  look({ x, y, scale }, immediately = true) {
    const viewport = this.viewer.viewport;
    viewport.zoomTo(scale / viewport.getContainerSize().x, null, immediately);
    viewport.panTo(new OpenSeadragon.Point(x, y), immediately);
  }

  fit(rectangle = this.bounds) {
    this.look(fitting(rectangle, ...this.size));
  }

  // Position in the shared frame of a point of the screen.
  at(clientX, clientY) {
    const box = this.frame.getBoundingClientRect();
    const { x, y, scale } = this.view;
    return [x + (clientX - box.left - box.width / 2) / scale, y + (clientY - box.top - box.height / 2) / scale];
  }

  showTiles(tiles, overlay, scale, opacity) {
    Object.assign(this, { tiles, overlay, scale, opacity });
    this.drawAbove();
  }

  showCross(point) {
    this.cross = point;
    this.drawAbove();
    this.tell(point);
  }

  // What is at a point of the shared frame, in place of the link's state.
  tell(point) {
    this.link.hidden = Boolean(point);
    this.words.textContent = "";
    if (!point || !this.slide) return;
    const [x, y] = apply(invert(this.matrix), point);
    const side = this.slide.mpp ?? 1;
    const values = Object.entries((this.tiles?.values && tileAt(this.tiles, x, y)) ?? {}).filter(([, value]) => value !== null);
    const words = values.map(([name, value]) => `${name} ${value.toFixed(2)}`);
    words.push(`${Math.round(x * side)}, ${Math.round(y * side)} ${this.slide.mpp ? "µm" : "px"}`);
    this.words.textContent = words.join(" · ");
  }

  drawAbove() {
    if (!this.above || !this.image || !this.viewer.viewport) return;
    const [width, height] = this.size;
    const density = window.devicePixelRatio;
    if (this.above.width !== Math.round(width * density)) this.above.width = Math.round(width * density);
    if (this.above.height !== Math.round(height * density)) this.above.height = Math.round(height * density);
    const context = this.above.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.above.width, this.above.height);
    this.drawOn(context, density, true);
  }

  // Tiles and scale bar, and the cross-hair if it is wanted, on a canvas of the pane's size times `density`.
  drawOn(context, density, withCross) {
    const [width, height] = this.size;
    const { x, y, scale } = this.view;
    if (this.overlay && this.tiles?.values?.[this.overlay]) {
      const [[a, b, tx], [c, d, ty]] = this.matrix;
      const k = scale * density;
      context.save();
      context.setTransform(k * a, k * c, k * b, k * d, k * (tx - x) + (width * density) / 2, k * (ty - y) + (height * density) / 2);
      paintTiles(context, this.tiles, this.overlay, this.scale, this.opacity);
      context.restore();
    }
    context.setTransform(density, 0, 0, density, 0, 0);
    drawScaleBar(context, width, height, scale / UNITS, this.slide.mpp ? "µm" : "px");
    if (withCross && this.cross) {
      drawCross(context, (this.cross[0] - x) * scale + width / 2, (this.cross[1] - y) * scale + height / 2);
    }
  }

  destroy() {
    this.gone = true;
    this.viewer?.destroy();
    this.viewer = null;
    this.above = null;
    this.box.remove();
  }
}
