// The buttons.

const done = new Set();           // what was asked of the host and must not be asked twice
let busy = "";

function renderActions() {
  const offers = [];
  const retry = job.state === "failed" && job.error?.safe_to_retry;
  const clip = job.state === "completed" && hasClip() && job.request_id;
  if (cancellable && job.state === "queued" && host.serverTools) offers.push(["cancel", "Cancel", cancel]);
  if (clip && !isSaved() && host.serverTools) offers.push(["save", "Save", save]);
  if (clip && host.downloadFile && host.serverResources) offers.push(["download", "Download", download]);
  if (clip && host.openLinks && link() && !(left() <= 0)) offers.push(["open", "Open link", open]);
  if (!done.has("mute") && (clip || retry || job.state === "expired" || job.state === "cancelled")) offers.push(["again", retry ? "Ask to try again" : "Make another", again]);
  if (failures >= FAILURES_MAX) offers.push(["check", "Check again", check]);
  const box = $("actions"), focused = document.activeElement?.dataset?.act;
  box.hidden = !offers.length;
  box.replaceChildren(...offers.map(([act, words, run]) => {
    const asking = busy === act, over = done.has(act);
    const button = make("button", asking ? "One moment…" : over ? "Asked in the chat" : words, { type: "button", className: act === "save" || act === "check" ? "main" : "" });
    button.dataset.act = act;
    // Not `disabled` while it works: the focus would be lost.
    if (over) button.disabled = true; else if (asking) button.setAttribute("aria-disabled", "true");
    button.onclick = () => perform(act, run);
    return button;
  }));
  if (focused && focused !== document.activeElement?.dataset?.act) (box.querySelector(`[data-act="${focused}"]:enabled`) || box.querySelector(":enabled") || $("file").querySelector("button") || $("details").querySelector("summary")).focus();
}

async function perform(act, run) {
  if (busy) return;
  busy = act;
  say("");
  renderActions();
  try { await run(); } catch (error) { say(error.message, true); }
  busy = "";
  render();
}

async function save() {
  const result = await request("tools/call", { name: "download_video", arguments: { request_id: job.request_id } }, 5 * CALL_SECONDS_MAX);
  const facts = result.structuredContent || {};
  if (facts.error) throw new Error(`${facts.error.message} ${facts.error.hint}`);
  if (facts.total !== undefined && facts.bytes < facts.total) return save();  // a large clip takes several calls
  if (result.isError || !(facts.video_path || facts.video_url)) throw new Error("The clip could not be saved.");
  job = { ...job, video_path: facts.video_path, video_url: facts.video_url || job.video_url };
  say(`Saved (${(facts.bytes / 1e6).toFixed(1)} MB).`);
  if (unplayable) play(true);
}

async function cancel() {
  const result = await request("tools/call", { name: "cancel_job", arguments: { request_id: job.request_id } });
  const facts = result.structuredContent || {};
  if (facts.error) throw new Error(`${facts.error.message} ${facts.error.hint}`);
  if (result.isError || !facts.state) throw new Error("The job could not be cancelled.");
  job = { ...job, state: facts.state, poll_after_seconds: facts.cancelled ? null : job.poll_after_seconds };
  if (facts.cancelled) clearTimeout(timer);
  else say(facts.warnings?.at(-1) || "The job was not cancelled.");
}

async function download() {
  const clip = await readClip();
  const result = await request("ui/download-file", { contents: [{ type: "resource", resource: { uri: clipUri(), mimeType: clip.type, blob: clip.base64 } }] }, 5 * CALL_SECONDS_MAX);
  if (result.isError) throw new Error("The host did not take the file.");
}

async function open() {
  const result = await request("ui/open-link", { url: link() });
  if (result.isError) throw new Error("The host did not open the link.");
}

async function again() {
  const { prompt, ...others } = job.parameters || {};
  const text = [
    `Please make another variation of this video: call generate_video with model ${job.model}, force_new true, and the same parameters as ${job.request_id}.`,
    `Prompt: ${prompt || ""}`,
    `Other parameters: ${JSON.stringify(others)}`,
    ...(others.first_frame_image || others.last_frame_image ? ["Pictures are shortened here; use the original ones."] : []),
  ].join("\n");
  const content = { type: "text", text };
  const send = async (body) => {
    const result = await request("ui/message", { role: "user", content: body });
    if (result.isError) throw new Error("The host did not take the message.");
  };
  // The SDK's hosts take a list of blocks; the text of the 2026-01-26 specification shows a single one. Only a host that
  // says the form is wrong is sent the other: anything else may have been taken, and a second message a second job.
  try {
    await send([content]).catch((error) => { if (error.code === -32602) return send(content); throw error; });
  } catch (error) {
    if (error.code === -32601) done.add("mute");
    throw new Error(error.code === -32601 ? "This host takes no messages from a view: ask for another one in the chat." : error.message);
  }
  done.add("again");
  say("Asked in the chat.");
}

async function check() {
  failures = 0;
  await poll();
}
