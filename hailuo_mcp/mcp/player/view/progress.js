// What changes every second: the clock, the bar, the time until the link expires.

const USUAL_SHARE = 0.85;         // where the usual time ends on the bar

/** The bar is time against the usual, not work done: it creeps beyond the usual, and is full only when the job is. */
function share(seconds, usual) {
  const part = seconds / usual;
  return part < 1 ? part * USUAL_SHARE : USUAL_SHARE + 0.12 * (1 - Math.exp(1 - part));
}

function tick() {
  if (listShown) return tickList();
  if (!job) return;
  if (running()) {
    const seconds = elapsed(), usual = job.estimated_seconds, bar = $("bar"), over = usual && seconds > usual;
    $("headline").textContent = job.state === "completed" ? "Finished, waiting for the link" : HEADLINES[job.state];
    setText($("clock"), clock(seconds, usual));
    const fill = bar.firstChild, begins = bar.className === "unknown";
    const late = over && bar.className === "";
    bar.className = usual ? (over ? "over" : "") : "unknown";
    if (begins) fill.style.transition = "none";   // it appears where it stands, and only moves from there
    const shown = usual ? share(seconds, usual) : 0;
    fill.style.width = `${(shown * 100).toFixed(1)}%`;
    if (begins) { fill.getBoundingClientRect(); fill.style.transition = ""; }
    if (usual) bar.setAttribute("aria-valuenow", String(Math.floor(shown * 100))); else bar.removeAttribute("aria-valuenow");
    bar.setAttribute("aria-valuetext", $("clock").textContent);
    bar.hidden = false;
    if (late) $("live").textContent = "It takes longer than usual.";
  } else if (loading) {
    $("headline").textContent = "Loading the clip…";
    setText($("clock"), loading);
    $("bar").className = "unknown";
    $("bar").removeAttribute("aria-valuenow");
    $("bar").setAttribute("aria-valuetext", "Loading the clip");
  }
  const expiry = $("expiry");
  if (expiry) {
    const seconds = left();
    setText(expiry, seconds <= 0 ? "Link has expired" : `Link expires in ${span(seconds < 300 ? seconds : Math.floor(seconds / 60) * 60)}`);
    expiry.className = !isSaved() && seconds > 0 && seconds < SAVE_SOON_SECONDS ? "loud" : "";
  }
}
const ticking = setInterval(tick, 1000);
