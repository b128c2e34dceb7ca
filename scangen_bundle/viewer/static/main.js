// The page: list, filters, room and keys put together.
import { ask } from "./api.js";
import { byId, element } from "./dom.js";
import { Filters } from "./filters.js";
import { listen } from "./keys.js";
import { SpecimenList } from "./list.js";
import { MOST_PANES, Room } from "./room.js";

const OVERLAYS = ["none", "attention", "probability", "spread"];

async function start() {
  const run = await ask("api/run");
  document.title = `${run.name} – scangen view`;
  byId("notice").textContent = run.notice;
  byId("run-name").textContent = run.name;
  byId("run-summary").textContent = [
    `${run.specimens} specimens, ${run.scans} scans, ${run.scanners.length} scanners`,
    run.scanners.some((scanner) => scanner.unseen) ? "* not trained on" : "",
    run.threshold === null && run.classes.length === 2 ? "no threshold is known: no class, no flips" : "",
  ].filter(Boolean).join("; ");
  const room = new Room(run);
  const show = (row) => {
    history.replaceState(null, "", `#${new URLSearchParams({ specimen: row.specimen })}`);
    room.show(row.number, filters.scanners).then(() => prefetch(list), (problem) => room.tellState(problem.message));
  };
  const filters = new Filters(run, () => refresh());
  const load = (offset, limit) => ask("api/specimens", { ...filters.parameters, offset, limit });
  const list = new SpecimenList(byId("list"), run, load, show);
  const refresh = async (number = room.specimen?.number) => {
    const row = await list.refresh(number);
    tellList(list);
    if (row && (row.number !== room.specimen?.number || filters.scanners?.join() !== refresh.scanners)) show(row);
    refresh.scanners = filters.scanners?.join();
  };
  chooseClass(run, room, list);
  wire(room, list, filters, run);
  await refresh(await wanted(run));
  window.addEventListener("hashchange", async () => refresh(await wanted(run)));
}

// The number of the specimen that the address names, so that a report can point here.
async function wanted() {
  const name = new URLSearchParams(location.hash.slice(1)).get("specimen");
  if (!name) return undefined;
  return ask("api/find", { specimen: name }).then((answer) => answer.number, () => undefined);
}

function tellList(list) {
  const flips = list.run.threshold === null && list.run.classes.length === 2 ? "" : `, ${list.flips} flip`;
  byId("list-summary").textContent = `${list.total} ${list.total === 1 ? "specimen" : "specimens"}${flips}`;
}

function chooseClass(run, room, list) {
  const choice = byId("class");
  byId("class-field").hidden = run.classes.length < 3;
  choice.append(...run.classes.map((name, i) => element("option", { value: String(i) }, name)));
  choice.value = String(run.classes.length - 1);
  choice.onchange = () => {
    room.classNumber = list.classNumber = Number(choice.value);
    list.draw();
    room.drawStrip();
  };
}

function wire(room, list, filters, run) {
  const overlay = byId("overlay");
  const opacity = byId("opacity");
  const linked = byId("linked");
  overlay.onchange = () => room.showOverlay();
  opacity.oninput = () => room.showOverlay();
  linked.onchange = () => room.setLinked(linked.checked);
  byId("zoom-in").onclick = () => room.link.zoom(1.5);
  byId("zoom-out").onclick = () => room.link.zoom(1 / 1.5);
  byId("fit").onclick = () => room.link.fit();
  byId("save-png").onclick = () => room.savePicture();
  byId("save-geojson").onclick = () => room.saveGeojson();
  byId("show-help").onclick = () => byId("help").showModal();
  const fade = (by) => {
    opacity.value = String(Number(opacity.value) + by);
    room.showOverlay();
  };
  const keys = {
    j: () => list.step(1), k: () => list.step(-1),
    "list ArrowDown": () => list.step(1), "list ArrowUp": () => list.step(-1),
    "list PageDown": () => list.step(8), "list PageUp": () => list.step(-8),
    "list Home": () => list.step(-list.total), "list End": () => list.step(list.total),
    ArrowLeft: () => room.link.move(-0.15, 0), ArrowRight: () => room.link.move(0.15, 0),
    ArrowUp: () => room.link.move(0, -0.15), ArrowDown: () => room.link.move(0, 0.15),
    "+": () => room.link.zoom(1.5), "=": () => room.link.zoom(1.5), "-": () => room.link.zoom(1 / 1.5), 0: () => room.link.fit(),
    o: () => {
      overlay.value = OVERLAYS[(OVERLAYS.indexOf(overlay.value) + 1) % OVERLAYS.length];
      room.showOverlay();
    },
    "[": () => fade(-10), "]": () => fade(10),
    l: () => {
      linked.checked = !linked.checked;
      room.setLinked(linked.checked);
    },
    f: () => filters.toggleFlips(), "/": () => byId("search").focus(), s: () => room.savePicture(), g: () => room.saveGeojson(),
    t: () => { byId("table-box").open = !byId("table-box").open; },
    "?": () => byId("help").showModal(), Escape: () => room.showAlone(null),
  };
  for (let digit = 1; digit <= 9; digit += 1) keys[digit] = () => room.showAlone(digit - 1);
  listen(keys);
  window.addEventListener("resize", () => room.layOut());
  if (run.classes.length > 2) overlay.querySelector("[value=probability]").remove();
}

// While this specimen is looked at, the server opens the slides of the next one, makes their coarsest tiles and registers them.
async function prefetch(list) {
  if (!list.run.slides) return;
  const row = await list.row(list.position + 1);
  if (!row || row.scans.length > MOST_PANES) return;
  const numbers = row.scans.map((scan) => scan.number);
  await Promise.allSettled(numbers.map(prefetchSlide));
  await ask("api/links", { scans: numbers.join(",") }).catch(() => {});
}

async function prefetchSlide(number) {
  const { width, height, tile, levels: [low, high] } = await ask(`api/slides/${number}`);
  const count = (side) => Math.ceil(Math.ceil(side / 2 ** (high - low)) / tile);
  for (let x = 0; x < count(width); x += 1) {
    for (let y = 0; y < count(height); y += 1) await fetch(`tiles/${number}/${low}/${x}_${y}.jpg`);
  }
}

start().catch((problem) => { byId("state").textContent = problem.message; });
