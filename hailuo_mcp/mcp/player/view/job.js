// Drawing the job.

function notice(title, lines, chips) {
  const [heading, body, list] = $("notice").children;
  heading.textContent = title;
  body.replaceChildren(...lines.filter(Boolean).map((line) => line instanceof Node ? line : make("p", line, { dir: "auto" })));
  list.replaceChildren(...chips.map(([words, loud]) => make("li", words, { className: loud ? "loud" : "" })));
  list.hidden = !chips.length;
  $("notice").hidden = false;
}

function refuse(title, message, hint, chips, id, state = "error") {
  if (listShown) return complain(message);
  if (job) return say(message, true);
  main.dataset.state = state;
  $("pill").textContent = state === "error" ? "Failed" : "Done";
  $("frame").hidden = true;
  $("prompt").textContent = asked.prompt || "";
  $("about").hidden = !asked.prompt;
  clampPrompt();
  notice(title, [message, hint, id && identity(id)], chips);
  $("live").textContent = `${title}. ${message}`;
}

function identity(id) {
  const row = make("div", undefined, { className: "copyable" });
  row.append(make("code", undefined, { dir: "auto" }), copier("the request id", id));
  row.firstChild.append(...breakable(id));
  return row;
}

function render() {
  if (listShown) return;
  if (!job) {
    showPoster();
    if ($("notice").hidden) {
      const wanted = typeof asked.prompt === "string" ? asked.prompt : "";
      $("headline").textContent = context.toolInfo?.tool?.name === "list_jobs" ? "Loading your jobs…" : asked.request_id ? "Checking the job…" : "Sending the request…";
      $("prompt").textContent = wanted;
      $("about").hidden = !wanted;
      clampPrompt();
    }
    return;
  }
  const [gateway, ...rest] = String(job.model || "").split("/");
  main.dataset.state = job.state;
  $("ribbon").hidden = !job.sandbox;
  $("ribbon").className = document.querySelector("video:not([hidden])") ? "sr" : "";   // the clip itself says so
  $("name").textContent = rest.join("/") || gateway || "Hailuo video";
  $("gateway").textContent = rest.length ? `via ${gateway}` : "";
  $("pill").textContent = nameOf(job.state);
  $("wait").hidden = !running() && !loading;
  const seen = document.querySelector("#stage video:not([hidden]), #poster:not([hidden])");
  $("blank").hidden = $("wait").hidden || Boolean(seen);
  $("stage").hidden = $("wait").hidden && !seen;
  $("frame").hidden = $("wait").hidden && $("stage").hidden;
  const [width, height] = String(job.parameters?.aspect_ratio || "").split(":").map(Number);
  $("blank").style.setProperty("--shape", width > 0 && height > 0 ? `${width} / ${height}` : "");   // "" removes it
  renderNotice();
  renderAbout();
  renderFile();
  renderActions();
  renderDetails();
  tick();
}

function renderNotice() {
  const error = job.error;
  const looking = job.poll_after_seconds != null && host.serverTools;
  $("notice").hidden = true;
  if (job.state === "failed") {
    notice("The job failed", [error?.message || "The gateway gave no reason.", error?.hint], error ? verdicts(error) : []);
  } else if (job.state === "expired") {
    notice("The clip has expired", [error?.message || "The gateway no longer has it.", error?.hint], error ? verdicts(error).slice(0, 1) : []);
  } else if (job.state === "cancelled") {
    notice("Cancelled", ["It was still in the queue."], [["Not charged", false]]);
  } else if (job.state === "unconfirmed") {
    notice("Sent, but no response arrived", [
      error?.message, "The job may exist and may be charged: check the gateway's own list of requests before you submit again.", error?.hint,
      looking ? "This view keeps looking for it." : "",
    ], verdicts({ charged: "unknown", ...error, code: "unconfirmed" }));
  } else if (job.state === "dry_run") {
    notice("Nothing was sent", ["This request would go to the gateway:", make("pre", JSON.stringify(job.request, null, 2), { tabIndex: 0 })], []);
  } else if (job.state === "completed" && unplayable) {
    notice("The clip cannot be played here", [
      unplayable, job.video_path ? "It is saved; open the file below." : "Save it, or ask the assistant for the link.",
    ], []);
  } else if (running() && !host.serverTools && host.ready) {
    notice("This host does not update the view", ["Ask the assistant for the job's status."], []);
  }
}

function renderAbout() {
  const { prompt, duration, resolution, mode } = job.parameters || {};
  const wanted = prompt ?? asked.prompt ?? "";
  if ($("prompt").textContent !== wanted) { $("prompt").textContent = wanted; clampPrompt(); }
  $("about").hidden = false;
  const facts = [duration && `${duration} s`, resolution, mode && label(String(mode)), cost()];
  if (job.state === "completed") facts.push(`Took ${span(job.elapsed_seconds)}`);
  facts.push(balance());
  const items = facts.filter(Boolean).map((fact) => make("li", fact));
  if (left() !== null && hasClip()) items.push(make("li", "", { id: "expiry" }));
  $("facts").replaceChildren(...items);
  const notes = [...new Set([...(job.duplicate ? ["This is an identical job submitted earlier; nothing new was sent."] : []), ...first, ...(job.warnings || [])])];
  $("warnings").replaceChildren(...notes.map((note) => make("li", note, { dir: "auto" })));
  $("warnings").hidden = !notes.length;
}

function clampPrompt() {
  const prompt = $("prompt"), more = $("more"), open = more.getAttribute("aria-expanded") === "true";
  prompt.classList.add("clamped");
  const long = prompt.scrollHeight > prompt.clientHeight + 1;
  prompt.classList.toggle("clamped", !open);
  more.hidden = !long;
  more.textContent = open ? "Show less" : "Show all";
}
$("more").onclick = () => {
  const more = $("more");
  more.setAttribute("aria-expanded", String(more.getAttribute("aria-expanded") !== "true"));
  clampPrompt();
};

function renderFile() {
  const box = $("file"), path = job.video_path, code = box.querySelector("code");
  box.hidden = !path;
  if (!path || code.textContent === path) return;
  code.replaceChildren(...breakable(path));
  box.querySelector("button")?.remove();
  box.append(copier("the path", path));
}

function renderDetails() {
  const rows = [["Model", job.model]];
  if (job.request_id) rows.push(["Request id", identity(job.request_id)]);
  if (job.created_at && job.state !== "dry_run") rows.push(["Submitted", when(job.created_at)]);
  if (job.estimated_seconds) rows.push(["Usual time", span(job.estimated_seconds)]);
  if (job.estimated_cost_usd != null) rows.push(["Estimate", money(job.estimated_cost_usd)]);
  if (job.cost_usd != null) rows.push([job.sandbox ? "Simulated cost" : "Cost", money(job.cost_usd)]);
  for (const [name, value] of Object.entries(job.parameters || {})) if (name !== "prompt") rows.push([label(name), name === "duration" ? `${value} s` : written(value)]);
  const list = $("details").querySelector("dl"), shown = JSON.stringify(rows.map(([, value]) => value instanceof Node ? job.request_id : value));
  $("details").hidden = false;
  if (list.dataset.shown === shown) return;   // unchanged: a focused copy button keeps its focus
  list.dataset.shown = shown;
  list.replaceChildren(...rows.flatMap(([name, value]) => {
    const cell = make("dd", value instanceof Node ? undefined : value, { dir: "auto" });
    if (value instanceof Node) cell.append(value);
    return [make("dt", name), cell];
  }));
}
