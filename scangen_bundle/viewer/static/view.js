// Where a pane looks: the middle in the frame that panes share, and px per unit of it. No page is needed for this.

export const middleOf = ({ x, y, width, height }) => [x + width / 2, y + height / 2];

// The upright rectangle around a picture of width w and height h in its own px, placed by `matrix` [[a, b, x], [c, d, y]].
export function bounds(matrix, w, h) {
  const corners = [[0, 0], [w, 0], [0, h], [w, h]].map((corner) => apply(matrix, corner));
  const [xs, ys] = [corners.map((p) => p[0]), corners.map((p) => p[1])];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

export const apply = ([[a, b, x], [c, d, y]], [px, py]) => [a * px + b * py + x, c * px + d * py + y];

export function invert([[a, b, x], [c, d, y]]) {
  const determinant = a * d - b * c;
  const [e, f, g, h] = [d / determinant, -b / determinant, -c / determinant, a / determinant];
  return [[e, f, -(e * x + f * y)], [g, h, -(g * x + h * y)]];
}

// What all rectangles have in common; all of them together where they have nothing in common.
export function shared(rectangles) {
  const [left, top] = [Math.max(...rectangles.map((r) => r.x)), Math.max(...rectangles.map((r) => r.y))];
  const right = Math.min(...rectangles.map((r) => r.x + r.width));
  const bottom = Math.min(...rectangles.map((r) => r.y + r.height));
  if (right > left && bottom > top) return { x: left, y: top, width: right - left, height: bottom - top };
  const [x, y] = [Math.min(...rectangles.map((r) => r.x)), Math.min(...rectangles.map((r) => r.y))];
  return {
    x, y, width: Math.max(...rectangles.map((r) => r.x + r.width)) - x,
    height: Math.max(...rectangles.map((r) => r.y + r.height)) - y,
  };
}

// The view that shows a rectangle whole in a box of width x height px.
export function fitting(rectangle, width, height) {
  const [x, y] = middleOf(rectangle);
  return { x, y, scale: Math.min(width / rectangle.width, height / rectangle.height) };
}

// A length that reads well and takes at most `most`: 1, 2 or 5 times a power of ten.
export function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([5, 2, 1].find((step) => step * power <= most) ?? 1);
}
