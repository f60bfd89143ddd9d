// Times as people read them: "3 min ago" in the page, exact in the viewer's zone on hover.

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const exact = new Intl.DateTimeFormat("en-GB", {
  year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit",
  second: "2-digit", timeZoneName: "short",
});
const toTheMinute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const toTheSecond = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

function words(instant) {
  const seconds = Math.round((instant - Date.now()) / 1000);
  const first = UNITS.findIndex(([, size]) => Math.abs(seconds) >= size);
  if (first < 0) return "now";
  let left = Math.abs(seconds);
  const parts = UNITS.slice(first, first < 2 ? first + 2 : first + 1).map(([unit, size]) => {
    const number = Math.trunc(left / size);
    left %= size;
    return number ? `${number} ${unit}` : "";
  });
  const length = parts.join(" ").trim();
  return seconds < 0 ? `${length} ago` : `in ${length}`;
}

/** Say each time below `root` in words; the exact one goes into its title. */
export function tellTimes(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const instant = new Date(time.dateTime);
    const said = "exact" in time.dataset ? toTheSecond.format(instant) : words(instant);
    if (time.textContent !== said) time.textContent = said;
    time.title ||= `${exact.format(instant)} (${time.dateTime.replace("T", " ")})`;
  }
  for (const text of root.querySelectorAll("svg text[data-time]")) {
    const instant = new Date(text.dataset.time);
    const form = text.textContent.length > 5 ? toTheSecond : toTheMinute;
    const said = form.format(instant);
    if (text.textContent !== said) text.textContent = said;
  }
}
