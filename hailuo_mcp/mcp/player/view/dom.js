// Small DOM helpers.

function make(tag, text, properties = {}) {
  const node = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** The product's logo. */
function mark() {
  const [svg, use] = ["svg", "use"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  use.setAttribute("href", "#mark");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** The text, with a line break allowed after each slash. */
const breakable = (text) => text.split(/(?<=[/\\])/).flatMap((part) => [part, make("wbr")]);

function copier(what, text) {
  const button = make("button", "Copy", { type: "button", className: "small" });
  button.setAttribute("aria-label", `Copy ${what}`);
  button.onclick = async () => {
    button.textContent = await copy(text) ? "Copied" : "Not allowed";
    $("live").textContent = button.textContent;
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  return button;
}

async function copy(text) {
  // The old API first: few sandboxes allow the new one, and a refusal is logged as a violation.
  const area = make("textarea", undefined, { value: text, className: "sr" }), focused = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done || navigator.clipboard?.writeText(text).then(() => true, () => false);
}

function say(words, bad = false, of = "") {
  const said = $("said");
  said.textContent = words;
  said.className = bad ? "bad" : "";
  said.dataset.of = of;
  said.hidden = !words;
}

function setText(node, text) { if (node.textContent !== text) node.textContent = text; }
