// Actions: a form with data-api="POST executions/ID/retry" is that call of REST.
//
// data-ask: what happens, asked before ("{matched}" is counted by a rehearsal with dry_run);
// data-word: what must be typed to go on; data-body: what is sent, beside its fields;
// data-done: what is said after ("{field}" of the answer, of a list how long it is); data-go: where to go then ("" is
// this page); data-fault: the field at which it is told what went wrong, in the element that
// describes it; data-match: the ETag that it is about; data-show: what of the answer goes into the
// <output> of the form.
// Fields: data-type="json|number|boolean|list|instant" (the last one is given in UTC),
// data-in="kwargs" puts a field into that object, data-in="args" takes it as an argument by
// position. Empty fields are not sent.
// Anywhere: data-ticks="ids" ticks all boxes of that name, or none of them;
// data-copy: a text for the clipboard; "{api}" and "{origin}" in it are addresses.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
const told = (value) => (Array.isArray(value) ? value.length : value) ?? "";
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => told(values[name]));

const PLACES = {
  api: new URL(meta("api"), location.href).href,
  origin: new URL(`${meta("api")}../../../`, location.href).href.replace(/\/$/, ""),
};

/** Aborted while an action is under way that may leave nothing of this page to look at: it leads to
 * another one, or shows something that a reload would lose. */
export let looking = new AbortController();
const lookAgain = () => (looking = new AbortController());
addEventListener("pagehide", lookAgain); // it may be shown again as it was

/** Say something; `alarm` for what went wrong. It goes by itself, or by a click. */
export function say(text, alarm = false) {
  const line = document.createElement("p");
  line.textContent = text;
  line.addEventListener("click", () => line.remove());
  document.getElementById(alarm ? "alarmed" : "said").append(line);
  setTimeout(() => line.remove(), alarm ? 15000 : 5000);
}

/** Switch on what waited for this script: the server sends these buttons disabled. */
export function arm(root) {
  root.querySelectorAll("form[data-api] button:disabled").forEach((one) => (one.disabled = false));
}

/** Send the call of a form; `done` is called, with its region, after each that went well. */
export function listen(done) {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-api]");
    if (!form) return;
    event.preventDefault();
    perform(form, event.submitter, done).catch((error) => complain(form, error.message));
  });
  document.addEventListener("change", ({ target }) => {
    if (!target.dataset.ticks) return;
    const boxes = document.getElementsByName(target.dataset.ticks);
    boxes.forEach((one) => (one.checked = target.checked));
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(filled(button.dataset.copy, PLACES)).then((well) => say(well ? "Copied" : "Not copied", !well));
  });
}

function complain(form, text) {
  const field = form.elements[form.dataset.fault];
  if (!field) return say(text, true);
  const place = document.getElementById(field.getAttribute("aria-describedby"));
  const told = (fault) => {
    place.textContent = fault;
    place.hidden = !fault;
    field.setAttribute("aria-invalid", String(Boolean(fault)));
  };
  told(text);
  field.addEventListener("input", () => told(""), { once: true });
  field.focus();
}

async function perform(form, button, done) {
  const said = { ...form.dataset, ...button?.dataset };
  const body = bodyOf(form, button, said.body);
  let counted = {};
  if (said.ask?.includes("{matched}")) {
    counted = await call(said.api, { ...body, dry_run: "true" });
    if (!counted.matched) return say("There is nothing that this could be done to.", true);
  }
  const title = button?.textContent.trim() ?? "";
  if (said.ask && !(await asked(title, filled(said.ask, counted), said.word))) return;
  if (button) button.disabled = true;
  if (said.go !== undefined || said.show) looking.abort();
  try {
    const answer = await call(said.api, body, said.match);
    if (said.show) {
      show(form, answer[said.show]);
      return lookAgain();
    }
    if (said.go !== undefined) return go(filled(said.go, answer));
    say(filled(said.done || "Done", answer));
    form.closest("dialog")?.close();
    done(form.closest("[data-live]"));
  } catch (error) {
    lookAgain();
    throw error;
  } finally {
    if (button) button.disabled = false;
  }
}

function show(form, text) {
  const place = form.querySelector("output");
  place.textContent = text;
  place.closest("[hidden]")?.removeAttribute("hidden");
  form.querySelectorAll("[data-copy]").forEach((one) => (one.dataset.copy = text));
}

function go(address) {
  location.assign(address || location.href);
}

/** The fields of a form, each as JSON text: so a long whole number keeps all its digits. */
function bodyOf(form, button, given) {
  const body = {};
  for (const [name, value] of Object.entries(JSON.parse(given || "{}"))) body[name] = JSON.stringify(value);
  const inner = {};
  const args = [];
  let positional = true;
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === "submit" && field !== button)) continue;
    if (["checkbox", "radio"].includes(field.type) && !field.checked) continue;
    const within = field.dataset.in;
    if (field.value === "") {
      if (within === "args") positional = false;
    } else if (field.dataset.type === "list") {
      (inner[field.name] ??= []).push(textOf(field));
    } else if (within === "args" && positional) {
      args.push(textOf(field));
    } else if (within) {
      (inner[within === "args" ? "kwargs" : within] ??= {})[field.name] = textOf(field);
    } else {
      body[field.name] = textOf(field);
    }
  }
  for (const [name, value] of Object.entries(inner)) {
    body[name] = Array.isArray(value) ? `[${value}]` : object(value);
  }
  if (args.length) body.args = `[${args}]`;
  return body;
}

function textOf(field) {
  switch (field.dataset.type) {
    case "json":
    case "number":
    case "boolean":
      try {
        JSON.parse(field.value);
      } catch (error) {
        throw new Error(`${field.dataset.label || field.name}: ${error.message}`);
      }
      return field.value;
    case "instant":
      return JSON.stringify(`${field.value}Z`);
    default:
      return JSON.stringify(field.value);
  }
}

const object = (parts) =>
  `{${Object.entries(parts).map(([name, text]) => `${JSON.stringify(name)}:${text}`)}}`;

async function call(api, body, match) {
  const [method, path] = api.split(" ");
  const empty = !Object.keys(body).length;
  const answer = await fetch(meta("api") + path, {
    method,
    headers: {
      "content-type": "application/json",
      "x-csrf-token": meta("csrf"),
      ...(match && { "if-match": match }),
    },
    body: empty ? undefined : object(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  const faults = (told.errors ?? []).map((one) => `${one.pointer}: ${one.detail}`);
  throw new Error([told.detail ?? answer.statusText, ...faults].join("\n"));
}

function asked(title, text, word) {
  const dialog = document.getElementById("confirm");
  const yes = document.getElementById("confirm-yes");
  const typed = document.getElementById("confirm-word");
  const input = typed.querySelector("input");
  document.getElementById("confirm-title").textContent = `${title}?`;
  document.getElementById("confirm-text").textContent = text;
  yes.textContent = title;
  typed.hidden = !word;
  typed.querySelector("code").textContent = word ?? "";
  input.value = dialog.returnValue = "";
  yes.disabled = Boolean(word);
  input.oninput = () => (yes.disabled = input.value !== word);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Also where the clipboard is kept from pages: not on this machine, and not encrypted. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const well = document.execCommand("copy");
    area.remove();
    return well;
  }
}
