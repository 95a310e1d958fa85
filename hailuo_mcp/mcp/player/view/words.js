// Formatting of times, amounts and states.

const NAMES = { queued: "Queued", processing: "Processing", completed: "Completed", failed: "Failed", expired: "Expired", cancelled: "Cancelled", unconfirmed: "Unconfirmed", dry_run: "Dry run" };
const HEADLINES = { queued: "Waiting in the queue", processing: "Making the clip" };
const LABELS = { first_frame_image: "First frame", last_frame_image: "Last frame", prompt_optimizer: "Prompt optimizer", go_fast: "Go fast", callback_url: "Callback" };

const nameOf = (state) => NAMES[state] || state;
const label = (name) => LABELS[name] || name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
const written = (value) => value === true ? "on" : value === false ? "off" : value === null ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value);

function span(seconds) {
  const whole = Math.max(0, Math.round(seconds)), minutes = Math.floor(whole / 60);
  if (whole < 60) return `${whole} s`;
  if (minutes < 60) return `${minutes} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}

function money(usd) {
  const text = usd.toFixed(usd < 1 ? 3 : 2);
  return `$${text.replace(/(\.\d\d)0$/, "$1")}`;
}

function verdicts({ code, charged, safe_to_retry }) {
  const said = { no: "not charged", yes: "charged", unknown: "may have been charged" }[charged] || "unknown whether charged";
  const again = code === "unconfirmed" ? "Do not submit it again" : safe_to_retry ? "Safe to try again" : "Do not retry unchanged";
  const money = job?.sandbox ? `For a real job: ${said}` : said.charAt(0).toUpperCase() + said.slice(1);
  return [[money, charged !== "no"], [again, code === "unconfirmed"]];
}

function cost(of = job, free = of.state === "cancelled" || (of.state === "failed" && of.error?.charged === "no")) {
  const usd = of.cost_usd ?? of.estimated_cost_usd;
  if (usd == null) return of.sandbox ? "" : "Price unknown";
  if (of.sandbox) return `Real price about ${money(usd)}`;
  if (of.cost_usd != null) return `Cost ${money(usd)}`;
  if (of.state === "dry_run") return `Would cost about ${money(usd)}`;
  return free ? "" : `About ${money(usd)}`;
}

/** The account's last known balance, in the gateway's currency or credits. */
const balance = () => typeof offers["hailuo-mcp/balance"] === "number" && !job.sandbox ? `Balance ${offers["hailuo-mcp/balance"].toFixed(2)}` : "";

function ago(moment) {
  const seconds = (Date.now() - Date.parse(moment)) / 1000;
  return !(seconds >= 0) || seconds >= 86400 ? when(moment) : seconds < 60 ? "just now" : `${span(Math.floor(seconds / 60) * 60)} ago`;
}

function when(moment) {
  const options = { dateStyle: "medium", timeStyle: "short" };
  try { return new Intl.DateTimeFormat(context.locale, { ...options, timeZone: context.timeZone }).format(new Date(moment)); }
  catch { return new Date(moment).toLocaleString(); }
}

/** The elapsed time, compared to the usual time. */
function clock(seconds, usual) {
  if (!usual) return `${span(seconds)} so far`;
  return seconds > usual ? `${span(seconds)} — longer than the usual ${span(usual)}` : `${span(seconds)} of about ${span(usual)}`;
}

const running = () => job && (job.state === "queued" || job.state === "processing" || (job.state === "completed" && !hasClip()));
const hasClip = () => Boolean(job.video_url || job.video_path);
/** Whether the server has saved the clip: as a file, or for remote callers behind its own link. */
const isSaved = (of = job) => Boolean(of.video_path) || /\/clips\/[^/?]+\.mp4\?until=/.test(of.video_url || "");
const elapsed = () => (job.elapsed_seconds || 0) + (Date.now() - seenAt) / 1000;
const left = () => job.expires_at ? (Date.parse(job.expires_at) - Date.now()) / 1000 : null;

function announcement() {
  if (job.state === "completed") return hasClip() ? "Completed. The video is ready." : "Completed, waiting for the link.";
  return `${nameOf(job.state)}. ${job.error?.message || HEADLINES[job.state] || ""}`;
}
