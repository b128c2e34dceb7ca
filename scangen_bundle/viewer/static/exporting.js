// Files of what is seen: the view as PNG, the tiles of a scan as GeoJSON.
import { drawLegend, short } from "./colours.js";
import { shapePath, colourName } from "./markers.js";
import { percent } from "./strip.js";

const [INK, MUTED] = ["#1a1c1e", "#5f6670"];
const [GAP, HEAD, TITLE, FOOT] = [12, 54, 24, 26];
const FONT = "system-ui, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// A name that is safe as that of a file.
export const fileName = (...parts) => parts.join("_").replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 150);

// The panes as they stand on the page, with all that a reader needs to know of them.
export function drawView(panes, facts) {
  const boxes = panes.map((pane) => pane.frame.getBoundingClientRect());
  const [left, top] = [Math.min(...boxes.map((b) => b.left)), Math.min(...boxes.map((b) => b.top))];
  const wide = Math.max(...boxes.map((b) => b.right)) - left;
  const high = Math.max(...boxes.map((b) => b.bottom)) - top;
  const density = Math.max(1, window.devicePixelRatio);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round((Math.max(wide, 480) + 2 * GAP) * density);
  canvas.height = Math.round((HEAD + TITLE + high + FOOT) * density);
  const context = canvas.getContext("2d");
  context.scale(density, density);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  drawHead(context, facts);
  panes.forEach((pane, i) => {
    const place = { x: GAP + boxes[i].left - left, y: HEAD + TITLE + boxes[i].top - top };
    drawPane(context, pane, place, density);
  });
  context.font = `12px ${FONT}`;
  context.fillStyle = MUTED;
  context.fillText(facts.notice, GAP, HEAD + TITLE + high + 17);
  return canvas;
}

function drawHead(context, { specimen, facts, scale }) {
  context.fillStyle = INK;
  context.font = `600 16px ${FONT}`;
  context.fillText(specimen, GAP, 22);
  context.font = `12px ${FONT}`;
  context.fillStyle = MUTED;
  context.fillText(facts, GAP, 40);
  if (!scale) return;
  const legend = new OffscreenCanvas(90, 10);
  drawLegend(legend, scale);
  const x = GAP + context.measureText(facts).width + 24;
  const [low, high] = [scale.low, scale.high].map(short);
  context.fillText(low, x, 40);
  const start = x + context.measureText(low).width + 4;
  context.drawImage(legend, start, 31);
  context.fillText(`${high}  ${scale.title}`, start + 94, 40);
}

function drawPane(context, pane, { x, y }, density) {
  const [width, height] = pane.size;
  const scanner = pane.scan.scanner;
  context.save();
  context.translate(x + 6, y - 10);
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(colourName(scanner)).trim();
  context.fill(new Path2D(shapePath(scanner, 5)));
  context.restore();
  context.fillStyle = INK;
  context.font = `12px ${FONT}`;
  context.fillText(`${pane.title}  ${pane.summary}  ${pane.link.textContent}`, x + 16, y - 6, Math.max(60, width - 16));
  const own = new OffscreenCanvas(Math.round(width * density), Math.round(height * density));
  const layer = own.getContext("2d");
  layer.fillStyle = "#fff";
  layer.fillRect(0, 0, own.width, own.height);
  if (pane.viewer) {
    layer.drawImage(pane.viewer.drawer.canvas, 0, 0, own.width, own.height);
    pane.drawOn(layer, density, false);
  }
  context.drawImage(own, x, y, width, height);
  context.strokeStyle = "#b8bdc3";
  context.strokeRect(x, y, width, height);
}

export function viewFacts(specimen, run, classNumber, scale) {
  const label = specimen.label < 0 ? "no label" : run.classes[specimen.label] ?? specimen.label;
  const threshold = run.threshold === null ? "" : `, threshold ${percent(run.threshold)}`;
  const facts = `${run.name} · ${label} · probability of ${run.classes[classNumber]}${threshold}`;
  return { specimen: specimen.specimen, facts, scale, notice: run.notice };
}

export async function saveView(panes, facts, name) {
  const canvas = drawView(panes, facts);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  save(blob, name);
  return blob;
}

export async function saveTiles(number, numbers, name) {
  const response = await fetch(`api/geojson/${number}?scans=${numbers.join(",")}`);
  if (!response.ok) throw new Error((await response.json()).problem);
  save(await response.blob(), name);
}
