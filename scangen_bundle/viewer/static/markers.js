// A colour and a shape for each scanner, the same as in the report.
import { drawing } from "./dom.js";

const COLOURS = 6;
const SHAPES = [
  (r) => `M${-r},0A${r},${r} 0 1 0 ${r},0A${r},${r} 0 1 0 ${-r},0Z`,
  (r) => `M${-r},${-r}H${r}V${r}H${-r}Z`,
  (r) => `M0,${-r}L${r},${r}H${-r}Z`,
  (r) => `M0,${-1.25 * r}L${1.25 * r},0L0,${1.25 * r}L${-1.25 * r},0Z`,
  (r) => `M0,${r}L${r},${-r}H${-r}Z`,
  (r) => `M${-r / 3},${-r}H${r / 3}V${-r / 3}H${r}V${r / 3}H${r / 3}V${r}H${-r / 3}V${r / 3}H${-r}V${-r / 3}H${-r / 3}Z`,
  (r) => `M${-r},${-r / 2}L${-r / 2},${-r}L0,${-r / 2}L${r / 2},${-r}L${r},${-r / 2}L${r / 2},0L${r},${r / 2}L${r / 2},${r}` +
    `L0,${r / 2}L${-r / 2},${r}L${-r},${r / 2}L${-r / 2},0Z`,
];

export const colourName = (scanner) => `--s${scanner % COLOURS}`;
export const colour = (scanner) => `var(${colourName(scanner)})`;
export const shapePath = (scanner, radius) => SHAPES[scanner % SHAPES.length](radius);

export function marker(scanner, x, y, radius, title) {
  const path = drawing("path", {
    d: shapePath(scanner, radius), transform: `translate(${x.toFixed(2)},${y.toFixed(2)})`, fill: colour(scanner),
    stroke: "var(--page)", "stroke-width": 0.75,
  });
  if (title) path.append(drawing("title", {}, title));
  return path;
}

export function swatch(scanner) {
  return drawing("svg", { class: "swatch", viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true" }, marker(scanner, 0, 0, 5));
}
