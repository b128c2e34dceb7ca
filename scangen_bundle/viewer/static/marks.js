// A scale bar and a cross-hair on a canvas, legible on tissue and on glass.
import { roundLength } from "./view.js";

const INK = "#1a1c1e";

// scale: screen px per µm (or px of the slide).
export function drawScaleBar(context, width, height, scale, unit) {
  const length = roundLength(Math.min(140, width / 3) / scale);
  const [x, y, long] = [10, height - 10, length * scale];
  const text = unit === "µm" && length >= 1000 ? `${length / 1000} mm` : `${length} ${unit}`;
  context.font = "12px system-ui, sans-serif";
  const wide = Math.max(long, context.measureText(text).width);
  context.fillStyle = "rgba(255, 255, 255, .8)";
  context.fillRect(x - 5, y - 22, wide + 10, 28);
  context.fillStyle = INK;
  context.fillText(text, x, y - 8);
  context.fillRect(x, y - 3, long, 3);
}

export function drawCross(context, x, y) {
  for (const [width, colour] of [[3, "rgba(255, 255, 255, .9)"], [1.25, INK]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 13 * dx, y + 13 * dy);
    }
    context.stroke();
  }
}
