"use strict";
(() => {
  const INK = "#1a1c1e";

  // Tables: a click on a heading sorts by that column; undefined values stay last.
  const value = (cell) => {
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    return cell.classList.contains("undefined") ? NaN : cell.textContent.trim().toLowerCase();
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  document.querySelectorAll("th[aria-sort] button").forEach((button) => {
    button.addEventListener("click", () => {
      const heading = button.parentElement;
      const column = heading.cellIndex;
      const body = heading.closest("table").tBodies[0];
      const down = heading.getAttribute("aria-sort") === "ascending";
      heading.parentElement.querySelectorAll("th").forEach((th) => th.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a.cells[column]), value(b.cells[column])];
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return down ? compare(y, x) : compare(x, y);
      });
      body.append(...rows);
    });
  });

  // Downloads.
  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const quote = (text) => (/[",\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text);
  const words = (cell) => {
    const dots = [...cell.querySelectorAll(".dot")].map((dot) => dot.title);
    return dots.length ? dots.join("; ") : cell.textContent.trim().replace(/\s+/g, " ");
  };
  // Parts of a split table are one CSV; their rows go by number, since each part may be sorted.
  document.querySelectorAll("button.csv").forEach((button) => {
    button.addEventListener("click", () => {
      const [first, ...others] = document.querySelectorAll(`table[data-whole="${button.dataset.table}"]`);
      const lines = [...first.rows].map((row) => {
        const same = row.dataset.row === undefined ? "thead tr" : `tr[data-row="${row.dataset.row}"]`;
        const rest = others.flatMap((table) => [...table.querySelector(same).cells].slice(1));
        return [...row.cells, ...rest].map((cell) => quote(words(cell))).join(",");
      });
      save(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }), button.dataset.table + ".csv");
    });
  });
  document.querySelectorAll("button.latex").forEach((button) => {
    button.addEventListener("click", () => {
      const text = document.getElementById(button.dataset.table + "-latex").textContent;
      save(new Blob([text], { type: "application/x-tex" }), button.dataset.table + ".tex");
    });
  });

  // A search hides the rows, in all parts of a table, whose text in its first part lacks the words.
  document.querySelectorAll("input.search").forEach((input) => {
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      const tables = [...document.querySelectorAll(`table[data-whole="${input.dataset.table}"]`)];
      [...tables[0].tBodies[0].rows].forEach((row) => {
        const hidden = !row.textContent.toLowerCase().includes(wanted);
        tables.forEach((table) => { table.querySelector(`tr[data-row="${row.dataset.row}"]`).hidden = hidden; });
      });
    });
  });

  // Commands are copied; where the clipboard is closed to the page, they are selected instead.
  const status = document.getElementById("copied");
  document.querySelectorAll("button.copy").forEach((button) => {
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.command);
        status.textContent = "Copied: " + button.dataset.command;
      } catch {
        status.textContent = button.dataset.command;
      }
      setTimeout(() => { status.textContent = ""; }, 8000);
    });
  });

  // Sections fold. A link to a folded one opens it, and printing opens all.
  const sections = [...document.querySelectorAll("main > section")];
  const foldable = sections.map((section) => section.querySelector("details"));
  const openAll = (open) => foldable.forEach((details) => { details.open = open; });
  const openLinked = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && (target.querySelector("details") || target.closest("details"));
    if (details && !details.open) {
      details.open = true;
      target.scrollIntoView();
    }
  };
  document.getElementById("unfold").addEventListener("click", () => openAll(true));
  document.getElementById("fold").addEventListener("click", () => openAll(false));
  document.querySelectorAll("nav a").forEach((link) => link.addEventListener("click", () => setTimeout(openLinked)));
  window.addEventListener("hashchange", openLinked);
  openLinked();
  let before = [];
  window.addEventListener("beforeprint", () => {
    before = foldable.map((details) => details.open);
    openAll(true);
  });
  window.addEventListener("afterprint", () => foldable.forEach((details, i) => { details.open = before[i]; }));
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const inSight = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    });
  }, { rootMargin: "-10% 0px -80% 0px" });
  sections.forEach((section) => inSight.observe(section));

  // A figure on its own is dark on white, whatever the page's theme is.
  const standalone = (svg) => {
    const copy = svg.cloneNode(true);
    const [x, y, width, height] = copy.getAttribute("viewBox").split(/\s+/).map(Number);
    copy.removeAttribute("style");
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", width + "pt");
    copy.setAttribute("height", height + "pt");
    const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    Object.entries({ x, y, width, height, fill: "#ffffff" }).forEach(([k, v]) => paper.setAttribute(k, v));
    copy.insertBefore(paper, copy.firstChild);
    const text = new XMLSerializer().serializeToString(copy);
    return { text: text.replace(/currentColor/g, INK).replace(/var\(--\w+, (#\w+)\)/g, "$1"), width, height };
  };
  const saveSvg = (svg, name) => save(new Blob([standalone(svg).text], { type: "image/svg+xml" }), name + ".svg");
  const savePng = (svg, name) => {
    const { text, width, height } = standalone(svg);
    const image = new Image();
    const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = Math.round(width * 300 / 72);
      canvas.height = Math.round(height * 300 / 72);
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      URL.revokeObjectURL(url);
      canvas.toBlob((blob) => save(blob, name + ".png"), "image/png");
    };
    image.src = url;
  };

  // The browser's printer makes a PDF of one figure, on a page of its size.
  const savePdf = (svg) => {
    const { text, width, height } = standalone(svg);
    const paper = document.getElementById("paper");
    const page = document.createElement("style");
    page.textContent = `@page { size: ${width}pt ${height}pt; margin: 0; }`;
    paper.replaceChildren(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, page);
    document.body.dataset.printing = "figure";
    dialog.close();
    window.print();
    delete document.body.dataset.printing;
    paper.replaceChildren();
  };

  // Lightbox: a click or Enter on a figure enlarges it; arrows go to its neighbours, + and - zoom.
  const figures = [...document.querySelectorAll("figure")].filter((figure) => figure.querySelector("svg"));
  const dialog = document.getElementById("lightbox");
  const stage = document.getElementById("lightbox-picture");
  let shown = 0;
  let zoom = 1;
  const fit = () => {
    const svg = stage.firstElementChild;
    if (!svg) return;
    const [, , width, height] = svg.getAttribute("viewBox").split(/\s+/).map(Number);
    const scale = zoom * Math.min(stage.clientWidth / width, stage.clientHeight / height);
    svg.style.width = Math.floor(width * scale) + "px";
    svg.style.height = Math.floor(height * scale) + "px";
  };
  const show = (index) => {
    shown = (index + figures.length) % figures.length;
    zoom = 1;
    const svg = figures[shown].querySelector("svg").cloneNode(true);
    stage.replaceChildren(svg);
    document.getElementById("lightbox-title").textContent = figures[shown].querySelector("figcaption span").textContent;
    if (!dialog.open) dialog.showModal();
    fit();
  };
  const enlarge = (factor) => {
    zoom = Math.min(8, Math.max(1, zoom * factor));
    fit();
  };
  figures.forEach((figure, index) => {
    const picture = figure.querySelector(".picture");
    picture.addEventListener("click", () => show(index));
    picture.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        show(index);
      }
    });
    figure.querySelector(".svg").addEventListener("click", () => saveSvg(figure.querySelector("svg"), figure.id));
    figure.querySelector(".png").addEventListener("click", () => savePng(figure.querySelector("svg"), figure.id));
    figure.querySelector(".pdf").addEventListener("click", () => savePdf(figure.querySelector("svg")));
  });
  const original = () => figures[shown].querySelector("svg");
  dialog.querySelector(".svg").addEventListener("click", () => saveSvg(original(), figures[shown].id));
  dialog.querySelector(".png").addEventListener("click", () => savePng(original(), figures[shown].id));
  dialog.querySelector(".pdf").addEventListener("click", () => savePdf(original()));
  document.getElementById("larger").addEventListener("click", () => enlarge(1.5));
  document.getElementById("smaller").addEventListener("click", () => enlarge(1 / 1.5));
  document.getElementById("previous").addEventListener("click", () => show(shown - 1));
  document.getElementById("next").addEventListener("click", () => show(shown + 1));
  dialog.addEventListener("keydown", (event) => {
    const actions = { ArrowLeft: () => show(shown - 1), ArrowRight: () => show(shown + 1), "+": () => enlarge(1.5), "-": () => enlarge(1 / 1.5) };
    if (zoom > 1 && event.key.startsWith("Arrow")) return; // the arrows scroll the enlarged figure
    if (actions[event.key]) {
      event.preventDefault();
      actions[event.key]();
    }
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    stage.replaceChildren();
    figures[shown].querySelector(".picture").focus();
  });
  window.addEventListener("resize", () => dialog.open && fit());
  document.documentElement.dataset.ready = String(figures.length);
})();
