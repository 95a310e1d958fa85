// The buttons.

const done = new Set();           // actions requested through the chat, which must not be repeated
let busy = "";

function renderActions() {
  const choices = [];
  const retry = job.state === "failed" && job.error?.safe_to_retry;
  const clip = job.state === "completed" && hasClip() && job.request_id;
  const next = clip && offers["hailuo-mcp/can_continue"] && (isSaved() || host.serverTools) && !done.has("mute");
  if (offers["hailuo-mcp/can_cancel"] && job.state === "queued" && host.serverTools) choices.push(["cancel", "Cancel", cancel]);
  if (clip && !isSaved() && host.serverTools) choices.push(["save", "Save", save]);
  if (next) choices.push(["continue", "Continue from here", proceed]);
  if (clip && host.downloadFile && host.serverResources) choices.push(["download", "Download", download]);
  if (clip && host.openLinks && link() && !(left() <= 0)) choices.push(["open", "Open link", open]);
  if (!done.has("mute") && (clip || retry || job.state === "expired" || job.state === "cancelled")) choices.push(["again", retry ? "Ask to try again" : "Make another", again]);
  if (failures >= FAILURES_MAX) choices.push(["check", "Check again", check]);
  const main = ["check", "save", "continue"].find((act) => choices.some(([offered]) => offered === act));
  const box = $("actions"), focused = document.activeElement?.dataset?.act;
  box.hidden = !choices.length;
  box.replaceChildren(...choices.map(([act, words, run]) => {
    const asking = busy === act, over = done.has(act);
    const button = make("button", asking ? "One moment…" : over ? "Asked in the chat" : words, { type: "button", className: act === main ? "main" : "" });
    button.dataset.act = act;
    // Not `disabled` while it runs: the button would lose the focus.
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

async function callTool(name, args, failure, seconds) {
  const result = await request("tools/call", { name, arguments: args }, seconds);
  const facts = result.structuredContent || {};
  if (facts.error) throw new Error(`${facts.error.message} ${facts.error.hint}`);
  if (result.isError) throw new Error(failure);
  return { ...facts, _meta: result._meta };
}

/** Save the clip of a job; a large one takes several calls. */
async function saveClip(id) {
  const failure = "The clip could not be saved.";
  const facts = await callTool("download_video", { request_id: id }, failure, 5 * CALL_SECONDS_MAX);
  if (facts.total !== undefined && facts.bytes < facts.total) return saveClip(id);
  if (!(facts.video_path || facts.video_url)) throw new Error(failure);
  return facts;
}

async function save() {
  const about = job.request_id, facts = await saveClip(about);
  if (job?.request_id !== about) return;
  job = { ...job, video_path: facts.video_path, video_url: facts.video_url || job.video_url };
  say(`Saved (${(facts.bytes / 1e6).toFixed(1)} MB).`);
  if (unplayable) play(true);
}

async function cancel() {
  const about = job.request_id;
  const facts = await callTool("cancel_job", { request_id: about }, "The job could not be cancelled.");
  if (!facts.state) throw new Error("The job could not be cancelled.");
  if (job?.request_id !== about) return;
  job = { ...job, state: facts.state, poll_after_seconds: facts.cancelled ? null : job.poll_after_seconds };
  if (facts.cancelled) clearTimeout(timer);
  else say(facts.warnings?.at(-1) || "The job was not cancelled.");
}

async function download() {
  const clip = await readClip();
  const result = await request("ui/download-file", { contents: [{ type: "resource", resource: { uri: clipUri(), mimeType: clip.type, blob: clip.base64 } }] }, 5 * CALL_SECONDS_MAX);
  if (result.isError) throw new Error("The host did not accept the file.");
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
    ...(others.first_frame_image || others.last_frame_image ? ["Images are shortened here; use the original ones."] : []),
  ].join("\n");
  await ask(text, "again");
}

/** The next shot begins with the last frame of this one, which the server takes from the saved clip. */
async function proceed() {
  if (!isSaved()) await save();
  const video = document.querySelector("video");
  video?.pause();
  if (Number.isFinite(video?.duration)) video.currentTime = video.duration;
  await ask(continuation(job), "continue");
}

const continuation = ({ request_id }) =>
  `I want to continue from this clip. Ask me what should happen next; then call generate_video with first_frame_image "last-frame:${request_id}", so that the new shot begins exactly where this one ends.`;

/** Send a message to the chat as the user. */
async function ask(text, act) {
  const content = { type: "text", text };
  const send = async (body) => {
    const result = await request("ui/message", { role: "user", content: body });
    if (result.isError) throw new Error("The host did not accept the message.");
  };
  // Hosts built on the SDK accept a list of blocks; the 2026-01-26 specification shows a single one. The second form is
  // only sent if the host rejects the first as invalid: after any other error the message may have been accepted, and
  // sending it again could submit a second job.
  try {
    await send([content]).catch((error) => { if (error.code === -32602) return send(content); throw error; });
  } catch (error) {
    if (error.code === -32601) done.add("mute");
    throw new Error(error.code === -32601 ? `This host does not accept messages from a view: ask for ${act === "again" ? "another one" : "the next shot"} in the chat.` : error.message);
  }
  done.add(act);
  say("Asked in the chat.");
}

async function check() {
  failures = 0;
  await poll();
}
