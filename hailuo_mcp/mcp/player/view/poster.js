// The first frame of a clip: from the call's own arguments, otherwise read through the server.

const posters = new Map();        // by request id: a data: URL, or null if there is none

/** Read each at most once, and one at a time: a list may have many. */
let reading = Promise.resolve();
function readPoster(id) {
  if (!posters.has(id)) {
    posters.set(id, null);
    const read = async () => {
      const { contents } = await request("resources/read", { uri: `hailuo://posters/${encodeURIComponent(id)}` });
      const part = contents?.find((content) => content.blob);
      if (part) posters.set(id, `data:image/jpeg;base64,${part.blob}`);
    };
    reading = reading.then(() => torn ? null : read()).catch(() => null);
  }
  return reading.then(() => posters.get(id));
}

async function showPoster() {
  const id = job?.request_id, given = asked.first_frame_image;
  const own = typeof given === "string" && /^data:image\/(jpeg|png|webp);base64,/i.test(given) ? given : null;
  const readable = id && offers["hailuo-mcp/has_poster"] && host.serverResources;
  const source = own || (readable ? await readPoster(id) : null), image = $("poster");
  if (listShown || job?.request_id !== id) return;   // another job is shown now
  if (!source || image.src === source) return;
  image.onload = () => { image.hidden = Boolean(document.querySelector("#stage video:not([hidden])")); render(); };
  image.src = source;
}
