// Drawings in a [data-drawing]: zoomed by buttons, + and -, or the wheel with Ctrl; moved by the
// pointer, or by scrolling as everywhere; what runs is followed if somebody wants so.

function setUp(place) {
  const canvas = place.querySelector(".canvas");
  const follow = place.querySelector("[data-follow]");
  const picture = () => canvas.querySelector("svg");
  let scale = 1;

  function draw() {
    const { width, height } = picture().viewBox.baseVal;
    picture().setAttribute("width", width * scale);
    picture().setAttribute("height", height * scale);
  }

  function zoom(wanted) {
    const { width, height } = picture().viewBox.baseVal;
    const fit = Math.min((canvas.clientWidth - 12) / width, (innerHeight * 0.75 - 12) / height, 1);
    const before = scale;
    scale = wanted === "fit" ? fit : wanted === "whole" ? 1 : scale * Number(wanted);
    scale = Math.min(Math.max(scale, 0.05), 4);
    const middle = [canvas.scrollLeft + canvas.clientWidth / 2, canvas.scrollTop + canvas.clientHeight / 2];
    draw();
    canvas.scrollTo(
      (middle[0] * scale) / before - canvas.clientWidth / 2,
      (middle[1] * scale) / before - canvas.clientHeight / 2,
    );
  }

  function showWhatRuns() {
    if (!follow?.checked) return;
    const box = picture().querySelector(".node.running .box");
    if (!box) return;
    const [there, here] = [box.getBoundingClientRect(), canvas.getBoundingClientRect()];
    canvas.scrollBy(
      there.x + there.width / 2 - here.x - canvas.clientWidth / 2,
      there.y + there.height / 2 - here.y - canvas.clientHeight / 2,
    );
  }

  place.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom]");
    if (button) zoom(button.dataset.zoom);
  });
  canvas.addEventListener("keydown", (event) => {
    const wanted = { "+": "1.25", "-": "0.8", 0: "fit" }[event.key];
    if (wanted && !event.ctrlKey && !event.metaKey) zoom(wanted);
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? "1.1" : "0.9");
  });
  move(canvas);
  follow?.addEventListener("change", showWhatRuns);
  // The picture is put in place anew when something has happened.
  new MutationObserver(() => (draw(), showWhatRuns())).observe(canvas, { childList: true, subtree: true });
  zoom("fit");
  if (scale < 0.6) zoom(0.6 / scale);
}

/** A pointer that is held moves what is shown; one that is not moved is a click. */
function move(canvas) {
  let from;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && event.pointerType === "mouse") from = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const by = [from[0] - event.clientX, from[1] - event.clientY];
    if (!canvas.classList.contains("moving") && Math.hypot(...by) < 5) return;
    canvas.classList.add("moving");
    canvas.scrollBy(...by);
    from = [event.clientX, event.clientY];
  });
  addEventListener("pointerup", () => (from = undefined));
  canvas.addEventListener("dragstart", (event) => event.preventDefault());
  canvas.addEventListener("click", (event) => {
    if (canvas.classList.contains("moving")) event.preventDefault();
    canvas.classList.remove("moving");
  }, true);
}

document.querySelectorAll("[data-drawing]").forEach(setUp);
