/* Comfort only: every page does its job without this file. */
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/* Menus: Escape and a click elsewhere close them. */
const openMenus = () => all("details.menu[open]");
document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  if (document.activeElement?.matches(".disabled-button > button")) document.activeElement.blur();
});

/* A disabled button keeps the focus, so that its reasons can be read, and does nothing else. */
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[aria-disabled='true']");
  if (!button) return;
  event.preventDefault();
  event.stopPropagation();
  button.focus(); // Safari gives a clicked button none
}, true);

/* Controls that only work with JavaScript appear with it. */
function reveal(root) {
  for (const element of all("[data-needs-js], [data-dismiss]", root)) element.hidden = false;
}
document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest(".banner")?.remove();
});

/* Row ticks, "select all on this page" and "select all that match". */
function showSelection() {
  const ticks = all("[data-tick]:not(:disabled)");
  const ticked = ticks.filter((tick) => tick.checked).length;
  for (const box of all("[data-tick-all]")) {
    box.checked = ticked > 0 && ticked === ticks.length;
    box.indeterminate = ticked > 0 && ticked < ticks.length;
  }
  const matchAll = all("[data-select-match]").some((box) => box.checked);
  for (const count of all("[data-selected-count]")) {
    count.textContent = matchAll ? "All that match" : String(ticked);
  }
  for (const bar of all("[data-selection]")) bar.classList.toggle("active", ticked > 0 || matchAll);
  for (const place of all("[data-needs-ticks]")) disable(place, ticked === 0 && !matchAll);
}
/* Switches the button of parts/button.html and shows or hides its reasons. */
function disable(place, off) {
  const [button, why, tip] = place.children;
  for (const [name, value] of [["aria-disabled", "true"], ["aria-describedby", tip.id]]) {
    if (off) button.setAttribute(name, value);
    else button.removeAttribute(name);
  }
  why.hidden = !off;
  tip.hidden = !off;
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-tick-all]")) {
    for (const tick of all("[data-tick]")) tick.checked = event.target.checked;
  }
  if (event.target.matches("[data-tick-all], [data-tick], [data-select-match]")) showSelection();
});

/* A tree of ticks: a ticked code brings what is under it, so these are ticked with it. */
function tickBranch(box) {
  const branch = box.closest("[data-branch]");
  for (const under of all("[data-tick]:not(:disabled)", branch)) under.checked = box.checked;
  if (box.checked) return;
  for (let above = branch.parentElement.closest("[data-branch]"); above; above = above.parentElement.closest("[data-branch]")) {
    above.querySelector("[data-tick]").checked = false;
  }
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-branch] [data-tick]")) {
    tickBranch(event.target);
    showSelection();
  }
});
document.addEventListener("htmx:load", (event) => {
  const box = event.detail.elt.closest("[data-branch]")?.querySelector("[data-tick]");
  if (box?.checked && !box.disabled) tickBranch(box);
});

/* How many characters of a field are stored: erpbridge.db.text.one_line, and what is typed into lines. */
const UNSEEN = /(?![\u202a-\u202e\u2066-\u2069])[\p{Default_Ignorable_Code_Point}\u070f\u08e2\ufff9-\ufffb]/gu;
function stored(field) {
  const typed = field.value;
  if (field.matches("textarea") || /^[\x20-\x7e]*$/.test(typed)) return typed.trim();
  const visible = typed.replace(UNSEEN, "").normalize("NFC");
  return visible.replace(/[\x01-\x1f\x7f-\x9f\u2028\u2029]/g, " ").replace(/[\s\u2800]+/g, " ").trim();
}
const storedLength = (field) => [...stored(field)].length;

/* Nothing typed is cut: what is longer than data-most is said at the field, and not sent. */
document.addEventListener("input", (event) => {
  const field = event.target;
  if (!field.matches("[data-most]")) return;
  const length = storedLength(field);
  const most = Number(field.dataset.most);
  const said = length > most ? `At most ${most} characters; these are ${length}. Nothing was cut.` : "";
  field.setCustomValidity(said);
  const next = field.nextElementSibling;
  const note = next?.matches("[data-too-long]") ? next : document.createElement("span");
  if (!said) return note.remove();
  note.className = "help counter-over";
  note.dataset.tooLong = "";
  note.setAttribute("role", "status");
  if (!note.isConnected) field.after(note);
  note.textContent = said;
});

/* Characters against the limit of the ERP, as the server counts them. */
document.addEventListener("input", (event) => {
  const counter = document.querySelector(`[data-counter="${CSS.escape(event.target.id || "-")}"]`);
  if (!counter) return;
  const length = storedLength(event.target);
  const excess = Math.max(0, length - Number(counter.dataset.most));
  const tail = excess ? `: ${excess} too many` : "";
  const count = length ? `${length} character${length === 1 ? "" : "s"}. ` : "";
  counter.textContent = `${count}${counter.dataset.label}${tail}.`;
  counter.classList.toggle("counter-over", excess > 0);
});

/* A form with data-unsaved asks before typed changes are left behind. */
const changed = new Set();
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form && "unsaved" in form.dataset) change(form);
});
/* Buttons that save first take the place of those for a form as it was stored. */
function change(form) {
  changed.add(form);
  for (const place of all(`[data-while-unchanged="${form.id}"]`)) place.hidden = true;
  for (const place of all(`[data-once-changed="${form.id}"]`)) place.hidden = false;
}
document.addEventListener("submit", ({ target }) => {
  if (!target.dataset.saves) changed.delete(target);
});
/* data-unsaved="filled": a form in which nothing stands any more is not missed. */
const isMissed = (form) => form.isConnected && (form.dataset.unsaved !== "filled" || isFilled(form));
const isFilled = (form) => [...form.elements].some((one) => one.type === "text" && one.value.trim());
window.addEventListener("beforeunload", (event) => {
  if ([...changed].some(isMissed)) event.preventDefault();
});

/* Rows that are typed into a table: TAB in the last field saves, Escape leaves a row as it was. */
document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (event.key === "Tab" && !event.shiftKey && field.matches("[data-tab-saves]") && isFilled(field.form)) {
    event.preventDefault();
    field.form.requestSubmit();
  }
  if (event.key !== "Escape") return;
  field.closest("[data-editing]")?.querySelector("[data-cancel]").click();
  if (field.form?.dataset.unsaved === "filled") field.form.reset();
});

/* In a column that is filled in, Enter goes to the next row; in a field beside a button it presses
   that one, and never the first of the form. */
document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (event.key !== "Enter" || event.defaultPrevented) return;
  if (field.dataset?.enter) {
    event.preventDefault();
    document.getElementById(field.dataset.enter).click();
  } else if (field.matches("[data-next-row]")) {
    event.preventDefault();
    const place = field.closest("td").cellIndex;
    let row = field.closest("tr").nextElementSibling;
    while (row && !row.cells[place]?.querySelector("[data-next-row]")) row = row.nextElementSibling;
    const next = row?.cells[place].querySelector("[data-next-row]");
    if (next) next.select();
    next?.focus();
    if (!next) field.blur();
  }
});

/* A second click on a button that is already sending does nothing; the server stays the judge. */
function sent(form) {
  delete form.dataset.sending;
  form.removeAttribute("aria-busy");
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.dataset.saves || form.dataset.adds) return;
  if (form.dataset.sending) event.preventDefault();
  form.dataset.sending = "1";
  form.setAttribute("aria-busy", "true");
  setTimeout(sent, 5000, form); // a download leaves the page where it is
});
window.addEventListener("pageshow", () => {
  all("form[data-sending]").forEach(sent);
  showSelection();
});

/* A session that has ended, or a token that a sign-in in another tab has replaced: the page stays
   as it is, with what was typed, and goes on once somebody is signed in. */
function saySession(text, link) {
  const banner = document.getElementById("session-said") ?? document.createElement("div");
  banner.id = "session-said";
  banner.className = "banner banner-warning";
  banner.setAttribute("role", "alert");
  banner.replaceChildren(text);
  if (link) {
    const sign = document.createElement("a");
    sign.className = "button button-secondary button-small";
    sign.href = link;
    sign.target = "_blank";
    sign.textContent = "Sign in in a new tab";
    banner.append(" ", sign);
  }
  document.querySelector(".page")?.prepend(banner);
}
async function freshToken() {
  const answer = await fetch("/session/token/", { headers: { "HX-Request": "true" } });
  if (!answer.ok) return false;
  const token = await answer.text();
  for (const input of all("input[name=csrfmiddlewaretoken]")) input.value = token;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  return true;
}
let sessionEnded = false;
document.addEventListener("htmx:beforeSwap", async (event) => {
  const xhr = event.detail.xhr;
  if (xhr.status === 401) {
    event.detail.shouldSwap = false;
    sessionEnded = true;
    saySession("Your session has ended. Nothing more is saved until you sign in again; what you typed stays here.", "/login/");
  } else if (xhr.getResponseHeader("X-Token-Replaced")) {
    event.detail.shouldSwap = false;
    if (await freshToken()) saySession("You have signed in again in another tab, so the last change was not saved. Make it once more.");
  }
});
window.addEventListener("focus", async () => {
  if (!sessionEnded || !(await freshToken())) return;
  sessionEnded = false;
  saySession("You are signed in again. What was not saved before is to be saved once more.");
});
/* A table wider than the screen can be scrolled by keyboard. */
function openScrollers() {
  for (const box of all(".table-scroll:not([tabindex])")) {
    if (box.scrollWidth <= box.clientWidth) continue;
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    const name = box.querySelector("caption") ?? document.querySelector("h1");
    box.setAttribute("aria-label", `Table: ${name.textContent.trim()}`);
  }
}
window.addEventListener("resize", openScrollers);

document.addEventListener("htmx:load", (event) => {
  reveal(event.detail.elt);
  for (const form of all("form[data-dirty]", event.detail.elt)) change(form);
  openScrollers();
  showSelection();
});
reveal(document);
showSelection();
openScrollers();

/* An input that serves several fields offers what the field chosen in another select takes. */
function offerListOf(input) {
  const chosen = document.getElementById(input.dataset.listOf)?.value;
  if (document.getElementById(`choices-${chosen}`)) input.setAttribute("list", `choices-${chosen}`);
  else input.removeAttribute("list");
}
document.addEventListener("change", (event) => {
  for (const input of all("[data-list-of]")) {
    if (input.dataset.listOf === event.target.id) offerListOf(input);
  }
});
for (const input of all("[data-list-of]")) offerListOf(input);

/* Ticking one box ticks the boxes that go with it, unless some of them are ticked already. */
document.addEventListener("change", (event) => {
  if (!event.target.checked) return;
  const along = all("[data-ticked-with]").filter((box) => box.dataset.tickedWith === event.target.id);
  if (!along.some((box) => box.checked)) for (const box of along) box.checked = true;
});
