// The Node version of driver.py: a scripted model that reads text, and does only what the text says.
const { HAILUO_PYTHON, IMAGE, HOME, PATH } = process.env;
const PROMPT = "A red kite rises over the dunes";
const TURNS_MAX = 30;

export const command = HAILUO_PYTHON;
export const args = ["-m", "hailuo_mcp"];
const ours = Object.entries(process.env).filter(([name]) => /^(HAILUO_MCP|XDG)_/.test(name));
export const env = { HOME, PATH, ...Object.fromEntries(ours) };

function next(text) {
  const found = /[Cc]all (\w+) with request_id "([^"]+)"(?: and wait_seconds (\d+))?/.exec(text.replaceAll('\\"', '"'));
  if (!found) return null;
  const [, tool, request_id, seconds] = found;
  return [tool, { request_id, ...(seconds && { wait_seconds: Number(seconds) }) }];
}

async function follow(call, given) {
  let step = ["generate_video", given];
  const texts = [];
  while (texts.length < TURNS_MAX) {
    texts.push(await call(...step));
    const following = next(texts.at(-1));
    if (!following && /state"?: ?"?(completed|failed)|Saved at|"video_path": ?"/.test(texts.at(-1))) break;
    step = following ?? step;
  }
  return texts;
}

// `call(tool, arguments)` returns what the framework would send to the model, as text.
export async function converse(call, tools) {
  const from_text = await follow(call, { prompt: PROMPT });
  const from_image = await follow(call, { prompt: `${PROMPT} again`, first_frame_image: IMAGE });
  const mistake = await call("generate_video", { prompt: PROMPT, duration: 60 });
  console.log(JSON.stringify({ tools, from_text, from_image, mistake }));
}
