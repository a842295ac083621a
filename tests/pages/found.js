// What a page shows at the width that it is opened at; `open` opens every fold and ticks every box before.
(open) => {
  const all = (css) => [...document.querySelectorAll(css)];
  if (open) {
    all("details").forEach((fold) => (fold.open = true));
    all("input[type=checkbox]").forEach((box) => (box.checked = true));
  }
  const boxes = all(".wide").filter((box) => box.checkVisibility());
  const scrolls = (box) => box.scrollWidth > box.clientWidth + 1;
  const says = (box) => parseFloat(getComputedStyle(box, "::before").maxHeight) > 0;
  const named = (found) => found.map((box) => box.getAttribute("aria-label"));
  const drawn = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return drawn.then(() => ({
    beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    boxes: boxes.length,
    scrolls: named(boxes.filter(scrolls)),
    silent: named(boxes.filter((box) => scrolls(box) && !says(box))),
    broken: all("img").filter((image) => !image.naturalWidth).map((image) => image.alt),
    highest: Math.max(...all("figure").map((figure) => figure.getBoundingClientRect().height)),
  }));
}
