// How an overlay paints a value: a hue that tissue does not have, the more opaque the more the value says.

const GREEN = [0, 158, 115];
const ORANGE = [213, 94, 0];
const BLUE = [0, 114, 178];
const LEAST_TOP = { attention: 2, spread: 0.05 }; // so that scans on which nothing stands out do not look as if something did

const clamp = (value) => Math.min(1, Math.max(0, value));

// The scale of an overlay for all scans of a specimen: title, values at both ends, and value -> [red, green, blue, opacity].
export function makeScale(overlay, scans, run, spreadOf) {
  const values = scans.flatMap((scan) => scan.values?.[overlay] ?? []).filter((value) => value !== null).sort((a, b) => a - b);
  if (!values.length) return null;
  const range = [values[0], values[values.length - 1]];
  const top = Math.max(LEAST_TOP[overlay] ?? 1, values[Math.floor(0.99 * (values.length - 1))]);
  if (overlay === "attention") {
    return { title: "attention, 1 = average tile", low: 1, high: top, range, paint: (v) => [...GREEN, clamp((v - 1) / (top - 1))] };
  }
  if (overlay === "spread") {
    const of = spreadOf === "attention" ? "rank of the tile's attention" : "probability of the tile alone";
    return { title: `SD over scanners, ${of}`, low: 0, high: top, range, paint: (v) => [...ORANGE, clamp(v / top)] };
  }
  const middle = run.threshold ?? 0.5;
  const far = (value) => (value < middle ? (middle - value) / middle : (value - middle) / (1 - middle));
  return {
    title: `probability of ${run.classes[1]}, tile alone`, low: 0, high: 1, range,
    paint: (v) => [...(v < middle ? BLUE : ORANGE), clamp(far(v))],
  };
}

export const short = (value) => Number(value.toPrecision(2)).toString();

export function drawLegend(canvas, { low, high, paint }) {
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (let x = 0; x < canvas.width; x += 1) {
    const [r, g, b, opacity] = paint(low + ((high - low) * x) / (canvas.width - 1));
    context.fillStyle = `rgba(${r}, ${g}, ${b}, ${opacity})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}
