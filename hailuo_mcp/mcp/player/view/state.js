// State shared by all parts of the view.

const PROTOCOL = "2026-01-26";
const POLL_SECONDS_MIN = 2, POLL_SECONDS_MAX = 60, FAILURES_MAX = 6;
const WAIT_SECONDS = 3;           // how long the server may hold a poll, so that the end of a job shows at once
const CALL_SECONDS_MAX = 60;      // a host that never answers must not stop the view
const STALL_SECONDS_MAX = 15;     // a link that neither loads nor fails
const SAVE_SOON_SECONDS = 900;

const $ = (id) => document.getElementById(id);
const main = document.querySelector("main");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let host = {};                    // what the host can do (hostCapabilities)
let context = {};                 // its theme, locale and fonts
let job = null, seenAt = 0;       // the last JobView, and when it arrived
let first = [];                   // warnings of the first result: later ones omit why the model was chosen
let asked = {};                   // the arguments of the call that opened this view
let offers = {};                  // the actions that the server allows for the job (the result's _meta)
let torn = false;
