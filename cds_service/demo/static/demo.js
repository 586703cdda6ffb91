// The demo page: calls /demo/answer, shows the response, and answers cards as an EHR does.
// Text from a record is only ever set as text; HTML comes from the service, already escaped.

const byId = (id) => document.getElementById(id);
const page = byId("main");
const NOT_IN_LINK = " It holds the settings, but not the record that you pasted.";
const STORED = "Feedback stored.";

const state = {};
let last = null; // the last response of the service
let asking = 0; // the number of the newest call; responses to earlier calls are dropped
let draftsMade = 0; // the number of drafts made on this page

function begin(source) {
  Object.assign(state, { patient: null, pasted: null, hook: null, drafts: null, selections: [],
    states: {}, asOf: null }, source);
  for (const button of document.querySelectorAll("[data-patient]")) {
    const chosen = button.dataset.patient === state.patient;
    button.setAttribute("aria-pressed", String(chosen));
    if (chosen) intoView(button, byId("stories"));
  }
  return ask();
}

// --- the address ------------------------------------------------------------------------------

// All choices are in the address, after the #, which no browser sends anywhere.
// A pasted record is not: it may be long, and links are easily shared.
const KEPT = ["patient", "hook", "drafts", "selections", "states", "asOf"];

// The settings of the topics that are served.
const OPTIONS = [...document.querySelectorAll("select[data-option]")].map((select) => select.id);

function settings() {
  return {
    ...Object.fromEntries(OPTIONS.map((id) => [id, byId(id).value])),
    silent: byId("silent").value === "yes",
  };
}

function link() {
  const choices = Object.fromEntries(KEPT.map((name) => [name, state[name]]));
  const bytes = new TextEncoder().encode(JSON.stringify({ ...choices, ...settings() }));
  const text = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
  const query = state.patient ? `?patient=${encodeURIComponent(state.patient)}` : "";
  return `${location.origin}${location.pathname}${query}#${text.replaceAll("=", "")}`;
}

function fromAddress() {
  const choices = { patient: new URLSearchParams(location.search).get("patient") };
  if (location.hash.length < 2) return choices;
  try {
    const text = atob(location.hash.slice(1).replaceAll("-", "+").replaceAll("_", "/"));
    const sent = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    for (const name of KEPT) if (name in sent) choices[name] = sent[name];
    for (const id of OPTIONS) {
      if ([...byId(id).options].some((option) => option.value === sent[id])) byId(id).value = sent[id];
    }
    if (sent.silent === true) byId("silent").value = "yes";
  } catch { /* not a state of this page: only the patient counts */ }
  return choices;
}

// Scrolls only the list, never the page.
function intoView(button, list) {
  const [inner, outer] = [button.getBoundingClientRect(), list.getBoundingClientRect()];
  if (inner.top < outer.top || inner.bottom > outer.bottom) list.scrollTop += inner.top - outer.top;
}

async function ask() {
  const turn = ++asking;
  byId("answers").setAttribute("aria-busy", "true");
  let response;
  let body;
  try {
    response = await fetch(page.dataset.answer, posted({ ...state, ...settings() }));
    body = await response.json();
  } catch {
    body = { issue: [{ details: { text: "The service does not answer." },
      diagnostics: "Check that it is still running." }] };
  }
  if (turn !== asking) return;
  byId("answers").removeAttribute("aria-busy");
  if (response?.ok) show(body);
  else showError(body);
}

function posted(body) {
  return { method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body) };
}

function show(answer) {
  last = answer;
  Object.assign(state, { hook: answer.hook, drafts: answer.drafts,
    selections: answer.selections });
  byId("error").replaceChildren();
  byId("paste-error").replaceChildren();
  for (const [id, html] of Object.entries(answer.html)) byId(id).innerHTML = html;
  for (const radio of document.getElementsByName("hook")) radio.checked = radio.value === state.hook;
  byId("as-of").value = answer.asOf;
  byId("request").textContent = shortened(JSON.stringify(answer.request, null, 2));
  byId("response").textContent = shortened(JSON.stringify(answer.response, null, 2));
  byId("curl").textContent = answer.curl;
  showDrafts();
  say(answer.status);
  if (state.pasted === null) history.replaceState(null, "", link());
}

function showError(outcome) {
  last = null;
  const issue = outcome.issue?.[0] ?? {};
  for (const id of ["cards", "why", "chart", "request", "response", "curl"]) {
    byId(id).replaceChildren();
  }
  const place = issue.expression?.[0];
  // A problem with a pasted record is shown where it was pasted.
  const pasted = state.pasted !== null && issue.code !== undefined;
  const [shown, empty] = pasted ? ["paste-error", "error"] : ["error", "paste-error"];
  byId(empty).replaceChildren();
  if (pasted) byId("own").open = true;
  byId(shown).replaceChildren(
    line("p", issue.details?.text ?? "The service could not answer.", "what"),
    ...(issue.diagnostics ? [line("p", issue.diagnostics)] : []),
    ...(place ? [line("p", `Where: ${place}`)] : []),
  );
  showDrafts();
  say("No answer.");
  if (pasted) byId(shown).focus();
}

function line(tag, text, name) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}

function say(text) {
  byId("status").textContent = text;
  byId("jump").textContent = text;
}

function shortened(text) {
  const most = 200_000;
  return text.length <= most ? text : `${text.slice(0, most)}\n… (cut here: the copy button copies all of it)`;
}

// --- draft orders ---------------------------------------------------------------------------

const referenceOf = (resource) => `${resource.resourceType}/${resource.id}`;

function nameOf(resource) {
  const concept = resource.medicationCodeableConcept ?? resource.code?.concept
    ?? resource.medication?.concept ?? resource.code ?? resource.codeCodeableConcept ?? {};
  const reference = resource.medicationReference ?? resource.medication?.reference ?? {};
  const name = concept.text ?? concept.coding?.[0]?.display ?? reference.display
    ?? concept.coding?.[0]?.code;
  return typeof name === "string" ? name : referenceOf(resource);
}

function showDrafts() {
  const drafts = state.drafts ?? [];
  const rows = drafts.map((resource, index) => {
    const row = document.createElement("li");
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.dataset.select = referenceOf(resource);
    box.checked = state.selections.includes(referenceOf(resource));
    const reason = resource.reasonCode?.[0]?.text ?? resource.dosageInstruction?.[0]?.text;
    label.append(box, line("span", nameOf(resource)));
    if (typeof reason === "string") label.append(line("small", reason));
    const button = line("button", "Remove");
    button.type = "button";
    button.dataset.remove = String(index);
    button.setAttribute("aria-label", `Remove ${nameOf(resource)}`);
    row.append(label, button);
    return row;
  });
  byId("drafts").replaceChildren(...(rows.length ? rows : [line("li", "None.", "hint")]));
}

function add(resource) {
  const draft = { ...resource };
  if (draft.id === undefined) draft.id = `demo-draft-${++draftsMade}`;
  state.drafts = [...(state.drafts ?? []), draft];
  return referenceOf(draft);
}

function remove(reference) {
  state.drafts = (state.drafts ?? []).filter((draft) => referenceOf(draft) !== reference);
  state.selections = state.selections.filter((selected) => selected !== reference);
}

// What an EHR does with the actions of an accepted suggestion.
function apply(suggestion) {
  for (const action of suggestion.actions ?? []) {
    if (action.type === "delete") remove(action.resourceId);
    else if (action.type === "create") add(action.resource);
    else if (action.type === "update") {
      remove(referenceOf(action.resource));
      add(action.resource);
    }
  }
  showDrafts();
}

// --- answers to cards -------------------------------------------------------------------------

async function sendFeedback(card, answer) {
  const address = `${page.dataset.feedback}/${last.service}`;
  const element = { card, outcomeTimestamp: new Date().toISOString(), ...answer };
  try {
    const response = await fetch(address, posted({ feedback: [element] }));
    if (response.ok) return STORED;
    const issue = (await response.json()).issue?.[0];
    return `Feedback not stored (${response.status}): ${issue?.details?.text ?? ""}`;
  } catch {
    return "Feedback not stored: the service does not answer.";
  }
}

function close(article, done, answer) {
  for (const part of article.querySelectorAll(".suggestions, .detail, .missing, .basis, .dismiss")) {
    part.remove();
  }
  article.classList.add("answered");
  return tell(article, done, answer);
}

async function tell(article, done, answer) {
  article.querySelector(".done")?.remove();
  const note = line("p", done, "done");
  note.tabIndex = -1;
  article.append(note);
  note.focus();
  const stored = await sendFeedback(article.dataset.card, answer);
  note.textContent = `${done} ${stored}`;
  note.classList.toggle("failed", stored !== STORED);
  say(note.textContent);
}

const cardOf = (article) => last.response.cards.find((card) => card.uuid === article.dataset.card);

// The last answer to a card counts, so each one names everything accepted so far.
function accept(button) {
  const article = button.closest("article");
  const { suggestions } = cardOf(article);
  const suggestion = suggestions.find(({ uuid }) => uuid === button.dataset.suggestion);
  apply(suggestion);
  button.classList.add("taken");
  button.disabled = true;
  button.textContent = `✓ ${suggestion.label}`;
  const taken = [...article.querySelectorAll(".suggestion.taken")];
  const answer = { outcome: "accepted",
    acceptedSuggestions: taken.map((button) => ({ id: button.dataset.suggestion })) };
  if (!article.querySelector(".suggestion:not(.taken)")) {
    const labels = taken.map((button) => button.textContent.slice(2)).join("; ");
    close(article, `Accepted: ${labels}.`, answer);
    return;
  }
  article.querySelector(".dismiss")?.remove();
  tell(article, `Accepted: ${suggestion.label}.`, answer);
}

function dismiss(form) {
  const reason = form.querySelector("input[type=radio]:checked");
  const comment = form.elements.comment.value.trim();
  const overrideReason = { reason: { code: reason.value, system: reason.dataset.system,
    display: reason.dataset.display } };
  if (comment) overrideReason.userComment = comment;
  close(form.closest("article"), `Dismissed: ${reason.dataset.display}.`,
    { outcome: "overridden", overrideReason });
}

// --- events -----------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "print") window.print();
  else if (button.dataset.patient) {
    begin({ patient: button.dataset.patient });
  } else if (button.dataset.suggestion) accept(button);
  else if (button.dataset.remove) {
    const [removed] = state.drafts.splice(Number(button.dataset.remove), 1);
    state.selections = state.selections.filter((selected) => selected !== referenceOf(removed));
    redraft();
  } else if (button.dataset.copy) copy(button);
});

document.addEventListener("change", (event) => {
  const { target } = event;
  if (target.dataset.key) {
    if (target.value === target.dataset.original) delete state.states[target.dataset.key];
    else state.states[target.dataset.key] = target.value;
    ask().then(() => {
      document.querySelector(`[data-key="${target.dataset.key}"]:checked`)?.focus();
    });
  } else if (target.name === "hook") {
    state.hook = target.value;
    ask();
  } else if (target.dataset.select) {
    const rest = state.selections.filter((selected) => selected !== target.dataset.select);
    state.selections = target.checked ? [...rest, target.dataset.select] : rest;
    const reference = target.dataset.select;
    redraft().then(() => {
      [...document.querySelectorAll("[data-select]")]
        .find((box) => box.dataset.select === reference)?.focus();
    });
  } else if (target.id === "as-of") {
    state.asOf = target.value || null;
    ask();
  } else if ([...OPTIONS, "silent"].includes(target.id)) ask();
  else if (target.id === "upload" && target.files[0]) {
    target.files[0].text().then((text) => {
      byId("pasted").value = text.length <= 2_000_000 ? text : "";
      begin({ pasted: text });
    });
  }
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.id === "paste") begin({ pasted: byId("pasted").value });
  else if (form.id === "add") {
    const option = byId("order").selectedOptions[0];
    state.selections = [add(JSON.parse(option.dataset.resource))];
    redraft();
  } else if (form.classList.contains("override")) dismiss(form);
});

// Drafts play no part when a chart is opened: whoever selects an order has opened it already.
function redraft() {
  showDrafts();
  if (state.patient === null && state.pasted === null) return Promise.resolve();
  const withDrafts = [...document.querySelectorAll("[name=hook][data-drafts]")];
  if (withDrafts.length && !withDrafts.some((radio) => radio.value === state.hook)) {
    state.hook = withDrafts[0].value;
  }
  return ask();
}

async function copy(button) {
  if (!last) return;
  const what = button.dataset.copy;
  const texts = { curl: () => last.curl, link };
  const text = what in texts ? texts[what]() : JSON.stringify(last[what], null, 2);
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied: the ${what}.${what === "link" && state.pasted !== null ? NOT_IN_LINK : ""}`);
  } catch {
    if (what === "link") say("The address of this page is the link: copy it from there.");
    else {
      byId(what).closest("details")?.setAttribute("open", "");
      getSelection().selectAllChildren(byId(what));
      say("Selected: copy it with your keyboard.");
    }
  }
}

byId("stories")?.addEventListener("keydown", (event) => {
  const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  const listed = [...document.querySelectorAll("[data-patient]")];
  const index = listed.indexOf(event.target);
  if (!(event.key in steps) || index < 0) return;
  event.preventDefault();
  listed[Math.min(Math.max(index + steps[event.key], 0), listed.length - 1)].focus();
});

showDrafts();
const start = fromAddress();
const listed = [...document.querySelectorAll("[data-patient]")];
const known = listed.some((button) => button.dataset.patient === start.patient);
if (start.patient && !known) {
  state.pasted = null;
  showError({ issue: [{ details: { text: "This page has no patient with that name." },
    diagnostics: "Choose one from the list." }] });
} else if (known) begin(start);
else if (listed.length) begin({ patient: listed[0].dataset.patient });
