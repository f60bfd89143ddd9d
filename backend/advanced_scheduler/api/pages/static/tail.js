// The live tail of the page of events: the latest on top, filtered here, and never without end.

const MOST = 300; // lines
const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
const byId = (id) => document.getElementById(id);
const [lines, state, pause] = [byId("tail"), byId("tail-state"), byId("tail-pause")];
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

let paused = sessionStorage.getItem("paused") === "yes"; // all live updates are
let waiting = []; // what came during a pause

function cell(text, address) {
  const place = document.createElement("td");
  if (!address) return (place.textContent = text), place;
  const link = document.createElement("a");
  link.href = address;
  link.textContent = text;
  place.append(link);
  return place;
}

function line({ type, time, data }) {
  const row = document.createElement("tr");
  const { execution_id: id, task_id: task, ...rest } = data;
  const known = Object.entries(rest).filter(([, value]) => value !== null && value !== "");
  row.dataset.type = type;
  row.append(
    cell(clock.format(new Date(time))),
    cell(type),
    cell(task ?? data.schedule_id ?? "", id && `executions/${encodeURIComponent(id)}`),
    cell(known.map(([name, value]) => `${name} ${value}`).join(", ")),
  );
  row.firstChild.title = time;
  row.lastChild.className = "wrap faint";
  row.dataset.words = `${id ?? ""} ${row.textContent}`.toLowerCase();
  return row;
}

function filter(rows = lines.rows) {
  const [type, text] = [byId("tail-type").value, byId("tail-text").value.trim().toLowerCase()];
  for (const row of rows) {
    row.hidden = (type && row.dataset.type !== type) || !row.dataset.words.includes(text);
  }
}

function tell() {
  const [all, shown] = [lines.rows.length, [...lines.rows].filter((row) => !row.hidden).length];
  const later = waiting.length ? ` ${waiting.length} more since the pause.` : "";
  state.textContent = all ? `${shown} of the last ${all} events.${later}` : `Nothing yet.${later}`;
}

function add(events) {
  const rows = events.map(line);
  filter(rows);
  lines.prepend(...rows.reverse());
  while (lines.rows.length > MOST) lines.deleteRow(-1);
  tell();
}

function hear(event) {
  const told = JSON.parse(event.data);
  if (!paused) return add([told]);
  waiting = [...waiting, told].slice(-MOST);
  tell();
}

const source = new EventSource(`${meta("api")}events`);
for (const type of meta("events").split(" ")) source.addEventListener(type, hear);

function showPause() {
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
}

pause.addEventListener("click", () => {
  paused = !paused;
  showPause();
  if (!paused) add(waiting.splice(0));
});
showPause();
byId("tail-clear").addEventListener("click", () => (lines.replaceChildren(), tell()));
for (const id of ["tail-type", "tail-text"]) {
  byId(id).addEventListener("input", () => (filter(), tell()));
}
