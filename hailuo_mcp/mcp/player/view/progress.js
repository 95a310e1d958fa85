// Updated every second: the clock, the bar, the time until the link expires.

const USUAL_SHARE = 0.85;         // the position of the usual time on the bar

/** The bar shows the elapsed time relative to the usual time, not work done: beyond that it moves slowly, and it is never
    full before the job has ended. */
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
    if (begins) fill.style.transition = "none";   // it appears at its current position, without an animation from zero
    const shown = usual ? share(seconds, usual) : 0;
    fill.style.width = `${(shown * 100).toFixed(1)}%`;
    if (begins) { fill.getBoundingClientRect(); fill.style.transition = ""; }
    if (usual) bar.setAttribute("aria-valuenow", String(Math.floor(shown * 100))); else bar.removeAttribute("aria-valuenow");
    bar.setAttribute("aria-valuetext", $("clock").textContent);
    bar.hidden = false;
    if (late) $("live").textContent = "This is taking longer than usual.";
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
