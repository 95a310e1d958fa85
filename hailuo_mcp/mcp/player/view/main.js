// Reporting the view's size to the host, and the initial handshake.

let sent = "";
new ResizeObserver(() => {
  const width = Math.ceil(innerWidth), height = Math.ceil(main.getBoundingClientRect().height);
  if (height && sent !== `${width}×${height}`) {
    sent = `${width}×${height}`;
    notify("ui/notifications/size-changed", { width, height });
  }
}).observe(main);
addEventListener("resize", () => clampPrompt());

request("ui/initialize", {
  protocolVersion: PROTOCOL,
  appInfo: { name: "hailuo-player", title: "Hailuo video", version: "1" },
  appCapabilities: { availableDisplayModes: ["inline"] },
}).then((result) => {
  host = { ...result.hostCapabilities, ready: true };
  adopt(result.hostContext || {});
  notify("ui/notifications/initialized", {});
}, (error) => refuse("This host does not respond", error.message, "The assistant can still tell you the job's status.", []));
