// Images on the user's computer, which a remote server cannot read: dropped or chosen here, and uploaded to the links in
// the error.

function askForImages(error) {
  const zones = make("div", undefined, { className: "drops" });
  zones.append(...error.uploads.map((upload) => dropZone(upload, error.uploads)));
  refuse("Add the image", "It is on your computer, and the server cannot read it. Nothing was sent.", zones, verdicts(error).slice(0, 1), null, "upload");
  $("pill").textContent = "Needs an image";
}

function dropZone(upload, all) {
  const name = upload.image.replace(/^upload:/, ""), what = label(upload.parameter);
  const zone = make("label", undefined, { className: "drop" });
  const input = make("input", undefined, { type: "file", accept: "image/*", className: "sr" });
  const words = make("span", `${what}: drop ${name} here, or choose it`, { dir: "auto" });
  zone.append(input, words);
  const tell = (text, bad = false) => { words.textContent = text; words.className = bad ? "bad" : ""; $("live").textContent = text; };
  const take = async (file) => {
    if (!file || upload.done || zone.ariaBusy === "true") return;
    zone.ariaBusy = "true";
    tell(`Uploading ${file.name}…`);
    try {
      await put(upload, file);
      upload.done = true;
      input.disabled = true;
      tell(`${what}: uploaded.`);
    } catch (error) {
      input.value = "";
      tell(error.message, true);
    }
    zone.ariaBusy = "false";
    if (all.every(({ done }) => done)) await goOn(all);
  };
  input.onchange = () => take(input.files[0]);
  zone.ondragover = (event) => { event.preventDefault(); zone.classList.add("over"); };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => { event.preventDefault(); zone.classList.remove("over"); take(event.dataTransfer.files[0]); };
  return zone;
}

async function put({ url, bytes_max }, file) {
  if (file.size > bytes_max) throw new Error(`${file.name} is larger than ${Math.floor(bytes_max / 1048576)} MB. Choose a smaller one.`);
  const response = await fetch(url, { method: "PUT", body: file, credentials: "omit", referrerPolicy: "no-referrer" }).catch(() => {
    throw new Error("The upload failed. Try again, or ask the assistant for the command that uploads it.");
  });
  if (!response.ok) throw new Error((await response.json().catch(() => ({}))).error || `The server refused it (${response.status}).`);
}

/** The missing images are uploaded: ask the assistant, which submits jobs, to repeat the call. */
async function goOn(uploads) {
  const named = uploads.map(({ parameter, image }) => `${parameter} "${image}"`).join(" and ");
  const text = `I have uploaded what was missing. Call generate_video again with ${named}, and all other arguments as before.`;
  try { await ask(text, "upload"); } catch { say(`Uploaded. Tell the assistant to continue with ${named}.`, true); }
}
