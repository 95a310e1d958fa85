// The gallery: the result of list_jobs, with a card for each job. A job can be opened in the view, and closed again.

const LIST_SECONDS = 8;           // between two updates while a job is in progress
let rows = null, listShown = false;     // the jobs of the list, and whether the view shows it
let listing = null, listedAt = 0;       // the last result of list_jobs, and when it arrived
let listArguments = {};
let opened = "";                        // the request id of the opened job
let acting = "";                        // the card and button whose action is running

const moving = (row) => row.state === "queued" || row.state === "processing" || row.state === "unconfirmed";

function showList(facts, meta) {
  if (!rows) { listArguments = asked; asked = {}; }
  listShown = true;
  const before = new Map((rows || []).map((row) => [row.request_id, row.state]));
  const more = meta?.["hailuo-mcp/rows"] || [];
  listing = facts;
  listedAt = Date.now();
  rows = facts.jobs.map((row, place) => ({ ...row, offers: more[place] || {} }));
  drawList();
  const news = rows.filter((row) => before.has(row.request_id) && before.get(row.request_id) !== row.state);
  if (!before.size) $("live").textContent = rows.length ? `${rows.length} recent jobs.` : "No jobs yet.";
  else if (news.length) $("live").textContent = news.map((row) => `${row.prompt}: ${nameOf(row.state)}.`).join(" ");
  clearTimeout(timer);
  if (!torn && host.serverTools && rows.some(moving)) timer = setTimeout(poll, LIST_SECONDS * 1000);
}

function drawList() {
  const focused = document.activeElement?.dataset?.act && [document.activeElement.closest(".card")?.dataset.id, document.activeElement.dataset.act];
  main.dataset.state = "list";
  main.setAttribute("aria-label", "Hailuo video jobs");
  $("job").hidden = true;
  $("gallery").hidden = false;
  $("ribbon").hidden = !(rows.length && rows.every((row) => row.offers.sandbox));
  $("ribbon").className = "";
  const spent = listing.spent_usd > 0 ? ` · ${rows.some((row) => row.offers.sandbox) ? "real price" : "spent"} ${money(listing.spent_usd)}` : "";
  $("total").textContent = rows.length ? `${rows.length < listing.total ? `${rows.length} of ${listing.total}` : rows.length} ${rows.length === 1 ? "job" : "jobs"}, newest first${spent}` : "No jobs yet. Ask the assistant for a clip.";
  $("cards").replaceChildren(...rows.map(card));
  tickList();
  if (focused) ($("cards").querySelector(`[data-id="${CSS.escape(focused[0])}"] [data-act="${focused[1]}"]`) || $("cards").querySelector("button"))?.focus();
}

function card(row) {
  const item = make("li", undefined, { className: "card" });
  item.dataset.state = row.state;
  item.dataset.id = row.request_id;
  const thumb = make("div", undefined, { className: "thumb" });
  thumb.append(mark(), make("span", nameOf(row.state), { className: "pill" }));
  if (row.offers["hailuo-mcp/has_poster"] && host.serverResources) {
    const image = make("img", undefined, { alt: "", hidden: true });
    thumb.prepend(image);
    readPoster(row.request_id).then((source) => { if (source) { image.src = source; image.hidden = false; } });
  }
  const facts = make("ul", undefined, { className: "facts" });
  const free = row.offers.not_charged === true;
  const [gateway, ...rest] = row.model.split("/");
  for (const fact of [rest.join("/") || gateway, ago(row.created_at), cost({ ...row.offers, state: row.state }, free)]) if (fact) facts.append(make("li", fact));
  if (moving(row) && row.state !== "unconfirmed") facts.append(make("li", "", { className: "time" }));
  const acts = make("div", undefined, { className: "acts" });
  acts.append(...choicesOf(row).map(([act, words, run]) => {
    const key = `${row.request_id} ${act}`, over = done.has(key);
    const button = make("button", acting === key ? "One moment…" : over ? "Asked in the chat" : words, { type: "button", className: "small" });
    button.dataset.act = act;
    button.setAttribute("aria-label", `${button.textContent}: ${row.prompt}`);
    if (acting === key || over) button.setAttribute("aria-disabled", "true");
    button.onclick = () => over || performOn(row, act, run);
    return button;
  }));
  const what = make("div", undefined, { className: "what" });
  what.append(make("h2", row.prompt || row.request_id, { dir: "auto" }), facts, acts);
  item.append(thumb, what);
  return item;
}

function choicesOf(row) {
  if (!host.serverTools) return [];
  const clip = row.state === "completed";
  const choices = [["open", clip ? "Play" : "Open", openRow]];
  if (row.offers["hailuo-mcp/can_cancel"]) choices.push(["cancel", "Cancel", cancelRow]);
  if (clip && !isSaved(row) && row.video_url) choices.push(["save", "Save", saveRow]);
  else if (clip && row.offers["hailuo-mcp/can_continue"] && !done.has("mute")) choices.push(["continue", "Continue from here", continueRow]);
  return choices;
}

async function performOn(row, act, run) {
  if (acting) return;
  acting = `${row.request_id} ${act}`;
  complain("");
  drawList();
  try { await run(row); } catch (error) { complain(error.message); }
  acting = "";
  if (listShown) drawList();
}

function complain(words) {
  $("refused").textContent = words;
  $("refused").hidden = !words;
}

async function openRow(row) {
  const result = await request("tools/call", { name: "get_status", arguments: { request_id: row.request_id } });
  const error = result.structuredContent?.error;
  if (result.isError || error) throw new Error(error ? `${error.message} ${error.hint}` : "The status could not be read.");
  listShown = false;
  opened = row.request_id;
  $("job").hidden = $("back").hidden = false;
  $("gallery").hidden = true;
  main.setAttribute("aria-label", "Hailuo video job");
  accept(result);
  $("back").focus();
}

/** Close the opened job and reset all its state. */
function closeJob() {
  clearTimeout(timer);
  job = null;
  first = [];
  asked = {};
  offers = {};
  failures = looks = 0;
  loading = unplayable = playedFor = "";
  attempt = held = null;
  done.delete("again");
  done.delete("continue");
  document.querySelector("video")?.remove();
  $("poster").removeAttribute("src");
  $("poster").hidden = true;
  $("details").open = false;
  say("");
  listShown = true;
  drawList();
  $("cards").querySelector(`[data-id="${CSS.escape(opened)}"] button`)?.focus();
  refreshList();
}
$("back").onclick = closeJob;

async function cancelRow(row) {
  const facts = await callTool("cancel_job", { request_id: row.request_id }, "The job could not be cancelled.");
  await refreshList();
  if (!facts.cancelled) throw new Error(facts.warnings?.at(-1) || "The job was not cancelled.");
}

async function saveRow(row) {
  await saveClip(row.request_id);
  await refreshList();
}

async function continueRow(row) {
  await ask(continuation(row), `${row.request_id} continue`);
}

async function refreshList() {
  if (torn || !listShown || !host.serverTools) return;
  if (asleep()) { due = true; return; }
  due = false;
  const { state, limit } = listArguments;
  try {
    const result = await request("tools/call", { name: "list_jobs", arguments: { ...(state ? { state } : {}), ...(limit ? { limit } : {}) } });
    if (listShown && Array.isArray(result.structuredContent?.jobs)) showList(result.structuredContent, result._meta);
  } catch (error) {
    complain(error.message);
  }
}

function tickList() {
  for (const item of $("cards").children) {
    const row = rows.find((each) => each.request_id === item.dataset.id), time = item.querySelector(".time");
    if (row && time) setText(time, clock((row.offers.elapsed_seconds || 0) + (Date.now() - listedAt) / 1000, row.offers.estimated_seconds));
  }
}
