// The probabilities of a specimen's scans on one axis from 0 to 1, with the threshold.
import { drawing } from "./dom.js";
import { marker } from "./markers.js";

const SIZES = { small: { height: 16, radius: 4, words: false }, large: { radius: 5, words: true } };
const MOST_ROWS = 6;

export const percent = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

// What a strip says, for those who do not see it.
export function stripText(scans, run, classNumber) {
  const told = scans.map((scan) => `${run.scanners[scan.scanner].name} ${percent(scan.probability?.[classNumber])}`);
  const threshold = run.threshold === null ? "" : `; threshold ${percent(run.threshold)}`;
  return `probability of ${run.classes[classNumber]}: ${told.join(", ")}${threshold}`;
}

export function strip(scans, run, classNumber, size = "small", width = 280) {
  const { radius, words } = SIZES[size];
  const [left, right] = [radius + 2, width - radius - 2];
  const place = (value) => left + value * (right - left);
  const points = scans.filter((scan) => Number.isFinite(scan.probability?.[classNumber]))
    .map((scan) => ({ scan, value: scan.probability[classNumber], x: place(scan.probability[classNumber]), row: 0 }));
  const rows = words ? spreadRows(points, 2 * radius + 1) : 1;
  const step = 2 * radius + 1;
  const middle = words ? rows * step - radius + 1 : SIZES[size].height / 2;
  const height = words ? rows * step + 20 : SIZES[size].height;
  const svg = drawing("svg", {
    class: "strip", viewBox: `0 0 ${width} ${height}`, height, role: "img", preserveAspectRatio: "xMinYMid meet",
    "aria-label": stripText(scans, run, classNumber),
  });
  svg.append(drawing("line", { class: "axis", x1: left, x2: right, y1: middle, y2: middle }));
  if (run.threshold !== null) {
    const x = place(run.threshold);
    svg.append(drawing("line", { class: "threshold", x1: x, x2: x, y1: words ? 0 : 1, y2: middle + radius + 3 }));
  }
  for (const { scan, value, x, row } of points) {
    svg.append(marker(scan.scanner, x, middle - row * step, radius, `${run.scanners[scan.scanner].name}: ${percent(value)}`));
  }
  if (words) svg.append(...axisWords(run, place, height - 3));
  return svg;
}

// Markers that would hide each other go into rows above the axis. The number of rows.
function spreadRows(points, distance) {
  const ends = [];
  for (const point of [...points].sort((a, b) => a.x - b.x)) {
    const free = ends.findIndex((end) => point.x - end >= distance);
    point.row = free >= 0 ? free : ends.length < MOST_ROWS ? ends.length : 0;
    ends[point.row] = point.x;
  }
  return Math.max(ends.length, 1);
}

function axisWords(run, place, y) {
  const word = (value, text, anchor) => drawing("text", { x: place(value), y, "text-anchor": anchor }, text);
  const words = [word(0, "0", "start"), word(1, "1", "end")];
  if (run.threshold !== null) {
    const anchor = run.threshold < 0.15 ? "start" : run.threshold > 0.85 ? "end" : "middle";
    words.push(word(run.threshold, `threshold ${percent(run.threshold)}`, anchor));
  }
  return words;
}
