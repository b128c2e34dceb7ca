// The tiles of a scan as a picture of few pixels, which is drawn over the slide in one go.
const CELLS = 4; // pixels along a tile's side: tiles need not lie on a grid
const MOST = 4096; // longest side of the picture

// Pictures are kept with the tiles that they are of.
function picture(tiles, overlay, scale) {
  tiles.pictures ??= new Map();
  if (!tiles.pictures.has(overlay)) tiles.pictures.set(overlay, paint(tiles, overlay, scale));
  return tiles.pictures.get(overlay);
}

function paint(tiles, overlay, scale) {
  const { x, y, side: [width, height] } = tiles;
  const [left, top] = [x.reduce((a, b) => Math.min(a, b)), y.reduce((a, b) => Math.min(a, b))];
  const [right, bottom] = [x.reduce((a, b) => Math.max(a, b)) + width, y.reduce((a, b) => Math.max(a, b)) + height];
  const cell = Math.max(Math.min(width, height) / CELLS, (right - left) / MOST, (bottom - top) / MOST);
  const canvas = new OffscreenCanvas(Math.ceil((right - left) / cell), Math.ceil((bottom - top) / cell));
  const context = canvas.getContext("2d");
  tiles.values[overlay].forEach((value, i) => {
    if (value === null) return;
    const [r, g, b, opacity] = scale.paint(value);
    if (opacity <= 0) return;
    const [x0, y0] = [Math.round((x[i] - left) / cell), Math.round((y[i] - top) / cell)];
    const [x1, y1] = [Math.round((x[i] + width - left) / cell), Math.round((y[i] + height - top) / cell)];
    context.clearRect(x0, y0, x1 - x0, y1 - y0);
    context.fillStyle = `rgba(${r}, ${g}, ${b}, ${opacity})`;
    context.fillRect(x0, y0, x1 - x0, y1 - y0);
  });
  return { canvas, left, top, cell };
}

// Draw the overlay on a context whose unit is a px of the scan.
export function paintTiles(context, tiles, overlay, scale, opacity) {
  if (!tiles.x.length) return;
  const { canvas, left, top, cell } = picture(tiles, overlay, scale);
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, left, top, canvas.width * cell, canvas.height * cell);
}

// The values of the tile at a place of the scan, {} where there is none.
export function tileAt(tiles, px, py) {
  const [width, height] = tiles.side;
  const i = tiles.x.findIndex((x, n) => px >= x && px < x + width && py >= tiles.y[n] && py < tiles.y[n] + height);
  if (i < 0) return {};
  return Object.fromEntries(Object.entries(tiles.values).map(([name, values]) => [name, values[i]]));
}
