// The bridge to the host: JSON-RPC over postMessage.

const pending = new Map();
let lastId = 0;
const post = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
const notify = (method, params) => post({ method, params });

function request(method, params, seconds = CALL_SECONDS_MAX) {
  return new Promise((resolve, reject) => {
    const id = ++lastId;
    const timer = setTimeout(() => { pending.delete(id); reject(new Error("The host did not answer.")); }, seconds * 1000);
    pending.set(id, (message) => {
      clearTimeout(timer);
      pending.delete(id);
      if (message.error) reject(Object.assign(new Error(message.error.message || "The host refused."), { code: message.error.code }));
      else resolve(message.result || {});
    });
    post({ id, method, params });
  });
}

const onNotification = {
  "ui/notifications/tool-input": (params) => { asked = params.arguments || {}; if (!job) render(); },
  "ui/notifications/tool-result": (params) => accept(params),
  "ui/notifications/tool-cancelled": () => { if (!job) refuse("The call was cancelled", "A job that was already submitted continues: list_jobs shows it.", "", []); },
  "ui/notifications/host-context-changed": (params) => adopt(params),
};
const onRequest = {
  "ping": () => ({}),
  "ui/resource-teardown": () => { torn = true; clearTimeout(timer); clearInterval(ticking); document.querySelector("video")?.pause(); return {}; },
};

addEventListener("message", ({ source, data }) => {
  if (source !== parent || !data || data.jsonrpc !== "2.0") return;
  if (data.method === undefined) return pending.get(data.id)?.(data);
  if (data.id === undefined) return onNotification[data.method]?.(data.params || {});
  const answer = onRequest[data.method];
  post(answer ? { id: data.id, result: answer() } : { id: data.id, error: { code: -32601, message: "Method not found" } });
});

function adopt(changes) {
  context = { ...context, ...changes };
  if (context.theme === "light" || context.theme === "dark") document.documentElement.dataset.theme = context.theme;
  const given = context.styles?.variables || {};
  // A background color without the matching text color may be unreadable: use both or neither.
  const pair = ["--color-background-primary", "--color-text-primary"];
  for (const name of ["--font-sans", "--font-mono", ...(pair.every((key) => given[key]) ? pair : [])]) {
    if (given[name]) document.documentElement.style.setProperty(name, given[name]);
  }
  if (job) render();
}
