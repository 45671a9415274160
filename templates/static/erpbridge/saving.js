/* What saves itself: a field as it is picked, a row as it is typed. data-saves names the note of
   such an element. The note says "saved" only when the server has said so; whatever else came back,
   it says "Not saved" with the reason and a way to try again, and what was typed stays. */
"use strict";

const noteOf = (element) => document.getElementById(element.dataset.saves);
const textInputs = (form) => [...form.elements].filter((field) => field.type === "text");
const isRefused = (element) => noteOf(element)?.querySelector("[data-not-saved]") != null;

function note(element, ...parts) {
  noteOf(element)?.replaceChildren(...parts);
}

/* While a row is being saved nothing can be typed into it that the answer would wipe away. */
function hold(form, held) {
  form.setAttribute("aria-busy", held);
  for (const field of textInputs(form)) {
    if (held && !field.readOnly) field.dataset.held = "";
    if (!("held" in field.dataset)) continue;
    field.readOnly = held;
    if (!held) delete field.dataset.held;
  }
}

document.addEventListener("htmx:configRequest", ({ detail }) => {
  const { elt, parameters } = detail;
  if (elt.dataset.saves && elt.type === "checkbox") parameters.on = elt.checked ? "1" : "0";
});
document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
  if (!elt.dataset.saves) return;
  changed.add(elt);
  note(elt, "Saving …");
  document.getElementById("said")?.replaceChildren();
  if (elt.matches("form")) hold(elt, true);
});
/* An answer from elsewhere, such as the sign-in page, has saved nothing. */
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { elt, path } = detail.requestConfig;
  if (!elt.dataset.saves || !isLedAway(detail.xhr, path)) return;
  detail.shouldSwap = false;
  detail.isError = true;
});
document.addEventListener("htmx:afterRequest", ({ detail: { requestConfig, successful, xhr } }) => {
  const { elt } = requestConfig; // The answer may have replaced it.
  if (!elt.dataset.saves) return;
  if (elt.matches("form")) hold(elt, false);
  if (!successful) notSaved(elt, xhr);
  else if (!isRefused(elt)) changed.delete(elt);
  rowAnswered(elt, successful);
});
/* What was typed since is not what was saved. */
document.addEventListener("input", ({ target }) => {
  if (target.dataset.saves && target.type === "text") note(target);
});
/* A form that is sent as a whole takes its fields along. */
document.addEventListener("submit", ({ target }) => {
  for (const element of changed) if (element.form === target) changed.delete(element);
});

/* --- not saved -------------------------------------------------------------------------------- */

const isLedAway = ({ responseURL }, path) =>
  responseURL && new URL(responseURL).pathname !== new URL(path, location.href).pathname;
const isSignIn = ({ status, responseURL }) =>
  status === 401 || (responseURL && new URL(responseURL).pathname === "/login/");

/* The reason that a page of ours gives for its refusal. */
function saidBy(xhr) {
  const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
  const reason = page.querySelector("[data-reason]")?.dataset.reason;
  if (reason) return reason;
  const said = page.querySelector("[role=alert] .banner-body > p:not(.banner-heading)");
  said?.querySelector(".sr-only")?.remove();
  return said?.textContent.trim();
}

function reasonOf(xhr) {
  if (!xhr.status) {
    return navigator.onLine
      ? "the server cannot be reached."
      : "this computer has no connection to the network.";
  }
  if (isSignIn(xhr)) return "you are no longer signed in. Sign in on another tab, then try again.";
  if (xhr.getResponseHeader("X-Token-Replaced")) return "you have signed in again on another tab.";
  if (xhr.status === 404) return "it is not there any more, or you may no longer see it.";
  if (xhr.status >= 500 && xhr.status !== 503) {
    return `something broke on the server (error ${xhr.status}).`;
  }
  return (
    saidBy(xhr) ||
    {
      403: "you may not do this.",
      409: "somebody else has changed it meanwhile. Open the page on another tab to see it as it is now.",
      413: "it is too large.",
      429: "too many requests at once. Wait a minute.",
      503: "the server is busy.",
    }[xhr.status] ||
    `the server did not answer as expected (${xhr.status}).`
  );
}

function element(name, properties, ...parts) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...parts);
  return made;
}

function notSaved(field, xhr) {
  changed.add(field);
  const said = element("span", { className: "errorlist" }, `Not saved: ${reasonOf(xhr)} `);
  said.dataset.notSaved = "";
  if (isSignIn(xhr)) {
    said.append(element("a", { href: "/login/", target: "_blank", rel: "noopener" }, "Sign in"), " ");
  }
  const again = element("button", { type: "button", className: "button button-secondary button-small" }, "Try again");
  again.addEventListener("click", async () => {
    if (xhr.status === 403 || isSignIn(xhr)) await freshToken(); // of a person who has signed in again on another tab
    if (field.matches("form")) field.requestSubmit();
    else htmx.trigger(field, "save-again");
  });
  note(field, said, again);
}

/* --- rows typed one after the other ----------------------------------------------------------- */

/* A typed row leaves the fields at once, so that the next can be typed, and waits in the table until
   the rows before it are saved. A row that the server refuses stays there with the reason, and the
   next goes; a row that did not get through stops those behind it. */
const rows = [];
let underWay = false;
let typed = 0;

function rowTyped(form) {
  const inputs = textInputs(form);
  if (isFilled(form)) {
    const place = document.getElementById(form.dataset.adds);
    const copy = document.createElement("template");
    copy.innerHTML = place.innerHTML.replaceAll("typed-0", `typed-${++typed}`);
    const row = copy.content.firstElementChild;
    place.after(row);
    const going = row.querySelector("form");
    for (const input of inputs) {
      going.elements[input.name].setAttribute("value", input.value);
      input.value = "";
    }
    htmx.process(row);
    wait(going);
  }
  changed.delete(form);
  inputs[0].focus();
}

function wait(form) {
  changed.add(form);
  note(form, "Waits to be saved");
  rows.push(form);
  nextRow();
}

function nextRow() {
  if (underWay || !rows.length) return;
  underWay = true;
  htmx.trigger(rows[0], "save-row");
}

function rowAnswered(form, successful) {
  if (form !== rows[0]) return;
  underWay = false;
  if (successful) {
    rows.shift();
    nextRow();
    return;
  }
  form.elements.again.value = "1";
  for (const behind of rows.slice(1)) note(behind, "Not saved yet: it waits for the row below");
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if ("adds" in form.dataset) {
    event.preventDefault();
    rowTyped(form);
  } else if (form.matches("[data-typed-row]")) {
    event.preventDefault();
    if (rows.includes(form)) nextRow();
    else wait(form);
  }
});
document.addEventListener("click", ({ target }) => {
  const form = target.closest("[data-discard]")?.form;
  if (!form || (underWay && form === rows[0])) return;
  const place = rows.indexOf(form);
  if (place >= 0) rows.splice(place, 1);
  form.closest("tr").remove();
  const adding = document.querySelector("form[data-adds]");
  if (adding) textInputs(adding)[0].focus();
  if (place === 0) nextRow();
});
window.addEventListener("online", nextRow);
