// Playing the clip: from its link if the host allows it, otherwise read through the server.

const LOOKS_MAX = 6, LOOK_SECONDS = 5;
let looks = 0;
let loading = "", unplayable = "", attempt = null, playedFor = "";

function link() {
  try {
    const url = new URL(job.video_url);
    // .invalid never resolves (RFC 2606): the in-process sandbox uses it for its clips.
    return /^https?:$/.test(url.protocol) && !url.hostname.endsWith(".invalid") ? url.href : null;
  } catch { return null; }
}

/** Whether the host allows this link to be loaded; true if it does not say. */
function allowed(href) {
  const approved = host.sandbox?.csp?.resourceDomains;
  if (!Array.isArray(approved)) return true;
  const url = new URL(href);
  return approved.some((source) => {
    if (!source.includes("*")) { try { return new URL(source.includes("//") ? source : `https://${source}`).origin === url.origin; } catch { return false; } }
    return url.hostname.endsWith(source.slice(source.indexOf("*") + 1).replace(/[/:].*$/, ""));
  });
}

const clipUri = (id = job.request_id) => `hailuo://videos/${encodeURIComponent(id)}`;
let held = null;

async function readClip(uri = clipUri()) {
  if (held?.uri === uri) return held;
  const { contents } = await request("resources/read", { uri }, 2 * CALL_SECONDS_MAX);
  const part = contents?.find((content) => content.blob);
  if (!part) throw new Error("The server returned no clip.");
  held = { uri, base64: part.blob, type: /^video\/[\w.+-]+$/.test(part.mimeType) ? part.mimeType : "video/mp4" };
  return held;
}

function play(again = false) {
  const wanted = job.request_id;
  if (!hasClip() || (playedFor === wanted && !again)) return;
  playedFor = wanted;
  unplayable = "";
  const ways = [];
  const href = link();
  if (href && !(left() <= 0) && allowed(href)) ways.push(["link", async () => href]);
  if (host.serverResources) {
    // data: comes first, because every host must allow it; blob: is for browsers that do not play long data: URLs.
    ways.push(["data", async () => { const clip = await readClip(clipUri(wanted)); return `data:${clip.type};base64,${clip.base64}`; }]);
    ways.push(["blob", async () => {
      const clip = await readClip(clipUri(wanted));
      return URL.createObjectURL(new Blob([Uint8Array.from(atob(clip.base64), (c) => c.charCodeAt(0))], { type: clip.type }));
    }]);
  }
  tryNext(wanted, ways, "This host allows neither the link nor reading the file.");
}

async function tryNext(about, ways, why) {
  attempt = null;
  if (torn || job?.request_id !== about) return;
  if (!ways.length) {
    loading = "";
    unplayable = why;
    document.querySelector("video")?.remove();
    $("live").textContent = "The clip cannot be played here.";
    // The server may still be saving it: try again soon.
    if (!isSaved() && looks++ < LOOKS_MAX) schedule(LOOK_SECONDS);
    return render();
  }
  const [[how, source], ...others] = ways;
  loading = how === "link" ? "From the gateway" : "Through the server";
  render();
  let src;
  try { src = await source(); } catch (error) { return tryNext(about, others.filter(([name]) => name !== "blob"), error.message); }
  if (job?.request_id !== about) return;   // another job is shown now
  const video = make("video", undefined, { controls: true, muted: true, playsInline: true, preload: "auto", autoplay: !calm.matches, hidden: true });
  video.setAttribute("aria-label", "The generated video");
  video.dataset.how = how;
  let settled = false;
  const leave = (reason) => {
    if (settled) return;
    settled = true;
    clearTimeout(stalled);
    video.onerror = video.onloadeddata = null;
    video.remove();
    tryNext(about, others, reason);
  };
  const stalled = setTimeout(() => leave("The clip did not load."), STALL_SECONDS_MAX * 1000);
  attempt = { scheme: how === "link" ? new URL(src).origin : how, leave };
  video.onerror = () => leave("The clip could not be loaded.");
  video.onloadeddata = () => {
    clearTimeout(stalled);
    loading = "";
    video.hidden = false;
    $("poster").hidden = true;
    setText($("live"), announcement());
    // The clip was read through the server, so it is saved: the next result has its path.
    if (how !== "link" && !isSaved() && looks++ < LOOKS_MAX) schedule(POLL_SECONDS_MIN);
    render();
  };
  document.querySelector("video")?.remove();
  $("stage").append(video);
  video.src = src;
}

document.addEventListener("securitypolicyviolation", ({ blockedURI }) => {
  if (attempt && blockedURI.startsWith(attempt.scheme)) attempt.leave("The host does not allow it.");
});
