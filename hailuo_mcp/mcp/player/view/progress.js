// What changes every second: the clock, the bar, the time until the link expires.

function tick() {
  if (!job) return;
  if (running()) {
    const seconds = elapsed(), usual = job.estimated_seconds, bar = $("bar");
    const over = usual && seconds > usual;
    $("headline").textContent = job.state === "completed" ? "Finished, waiting for the link" : HEADLINES[job.state];
    setText($("clock"), !usual ? `${span(seconds)} so far` : over ? `${span(seconds)} — longer than the usual ${span(usual)}` : `${span(seconds)} of about ${span(usual)}`);
    // The bar is time against the usual, not work done: it slows down towards the end and is full only when the job is.
    const share = usual ? seconds / usual : 0;
    const shown = share < 0.85 ? share : 0.85 + 0.12 * (1 - Math.exp((0.85 - share) * 2));
    const fill = bar.firstChild, begins = bar.className === "unknown";
    bar.className = usual ? (over ? "over" : "") : "unknown";
    if (begins) fill.style.transition = "none";   // it appears where it stands, and only moves from there
    fill.style.width = `${(shown * 100).toFixed(1)}%`;
    if (begins) { fill.getBoundingClientRect(); fill.style.transition = ""; }
    if (usual) bar.setAttribute("aria-valuenow", String(Math.floor(shown * 100))); else bar.removeAttribute("aria-valuenow");
    bar.setAttribute("aria-valuetext", $("clock").textContent);
    bar.hidden = false;
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
