// Polling the job at the interval that the server advises, and handling results.

let timer, polling = false, due = false, failures = 0, onScreen = true;
const asleep = () => document.hidden || !onScreen;

function accept(result) {
  const facts = result.structuredContent;
  if (!result.isError && Array.isArray(facts?.jobs)) return showList(facts, result._meta);
  if (!result.isError && facts?.state) {
    const before = job;
    job = facts;
    offers = result._meta || {};
    seenAt = Date.now();
    failures = 0;
    if (!before) first = facts.warnings || [];
    // Keep the message about the user's last action; clear one about a failed poll.
    if ($("said").dataset.of === "poll") say("");
    render();
    if (before?.state !== job.state) $("live").textContent = announcement();
    showPoster();
    if (job.state === "completed") play(Boolean(unplayable) && isSaved());
    return schedule(job.poll_after_seconds);
  }
  const words = (result.content || []).filter((part) => part.type === "text").map((part) => part.text).join("\n");
  if (facts?.error?.uploads?.length && !job && !listShown) return askForImages(facts.error);
  if (facts?.error) return refuse("The call failed", facts.error.message, facts.error.hint, verdicts(facts.error), facts.error.request_id);
  if (result.isError) return refuse("The call failed", words, "", []);
  refuse("The assistant has the result", words || "This host passes no data to the view.", "", [], null, "text");
}

function schedule(seconds) {
  clearTimeout(timer);
  if (torn || !host.serverTools || seconds == null) return;   // some hosts drop null fields
  timer = setTimeout(poll, Math.max(POLL_SECONDS_MIN, seconds) * 1000);
}

async function poll() {
  if (listShown) return refreshList();
  if (torn || polling || !job?.request_id) return;
  if (asleep()) { due = true; return; }
  due = false;
  polling = true;
  clearTimeout(timer);
  const about = job.request_id;
  try {
    const result = await request("tools/call", { name: "get_status", arguments: { request_id: about, wait_seconds: WAIT_SECONDS } });
    if (torn || job?.request_id !== about) return;   // another job is shown now
    if (!result.isError && result.structuredContent?.state) return accept(result);
    const error = result.structuredContent?.error;
    trouble(error ? `${error.message} ${error.hint} ${verdicts(error).map((v) => v[0]).join(". ")}.` : "The status could not be read.", error && !error.safe_to_retry);
  } catch (error) {
    if (!torn && job?.request_id === about) trouble(error.message);
  } finally {
    polling = false;
  }
}

function trouble(words, final) {
  failures += 1;
  const over = final || failures >= FAILURES_MAX;
  say(over ? words : `${words} Retrying.`, true, "poll");
  render();
  if (!over) schedule(Math.min(POLL_SECONDS_MAX, Math.max(POLL_SECONDS_MIN, job.poll_after_seconds || 0) * 2 ** failures));
  else failures = FAILURES_MAX;
  renderActions();
}

const wake = () => { if (due && !asleep()) poll(); };
document.addEventListener("visibilitychange", wake);
new IntersectionObserver(([entry]) => { onScreen = entry.isIntersecting; wake(); }).observe(document.documentElement);
