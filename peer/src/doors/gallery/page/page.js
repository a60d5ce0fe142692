// The gallery's page: asks for what is on the screen, follows the news, changes nothing. Texts of others are only ever set
// as text.
"use strict";

const PAGE = 60; // images asked for at once
const TILE_MIN = 240; // narrowest tile on a wide screen, in pixels
const CAPTION = [46, 65]; // height below a tile's picture, on a wide and on a narrow screen
const SETTLE = 250; // news of so many milliseconds become one look
const AGAIN = 3000; // until a lost connection or a missing picture is tried again
const NEWS_SHOWN = 5000;

const $ = (id) => document.getElementById(id);

/** Characters that act instead of showing, as on the terminal. */
const ACTS =
  /[\p{Cc}\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0e\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;
function clean(text, most = 500) {
  const shown = String(text ?? "").replace(/[\n\r\t]/g, " ").replace(ACTS, "");
  return shown.length > most ? [...shown].slice(0, most).join("") + "…" : shown;
}

function make(tag, className, text) {
  const it = document.createElement(tag);
  if (className) it.className = className;
  if (text !== undefined) it.textContent = clean(text);
  return it;
}
const bdi = (text) => make("bdi", "", text);
const isHash = (text) => /^[0-9a-f]{64}$/.test(text ?? "");

/** The object that an address answers with; throws `{status, message}`, status 0 where nobody answers. */
async function ask(path) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store" });
  } catch {
    throw { status: 0, message: "nobody answers" };
  }
  if (!answer.headers.get("content-type")?.startsWith("application/json")) {
    throw { status: answer.status, message: await answer.text() };
  }
  const told = await answer.json();
  if (told.error) throw { status: answer.status, message: told.error.message, hint: told.error.hint };
  return told;
}

// What is known of the album.

const state = { total: 0, inAlbum: 0, album: "", known: false, me: null };
/** Images by number of the page: `{images, stale}`. */
let pages = new Map();
/** Pages being asked for. */
let asked = new Map();
/** Answers to questions of before are not taken. */
let question = 0;

function query() {
  const words = new URLSearchParams({ limit: PAGE });
  const text = $("search").value.trim();
  // The pattern of `--name` fits whole names; a bare word fits within.
  if (text) words.set("name", /[*?[]/.test(text) ? text : `*${text}*`);
  const sort = $("sort").value;
  if (sort === "newest") words.set("reverse", "true");
  else if (sort) words.set("sort", sort);
  return words;
}

const entry = (index) => pages.get(Math.floor(index / PAGE))?.images[index % PAGE];

/** Sees to it that a page is here or on its way. */
function want(number) {
  const page = pages.get(number);
  if (resting || (page && !page.stale) || asked.has(number)) return asked.get(number);
  const mine = question;
  const words = query();
  words.set("offset", number * PAGE);
  const answer = ask(`api/images?${words}`)
    .then((told) => {
      if (mine !== question) return;
      pages.set(number, { images: told.images, stale: false });
      Object.assign(state, { total: told.total, inAlbum: told.in_album, album: told.album, known: true });
      say("");
      refused = "";
    })
    .catch((wrong) => mine === question && failed(wrong))
    .finally(() => {
      if (mine !== question) return;
      asked.delete(number);
      draw();
    });
  asked.set(number, answer);
  return answer;
}

/** What is shown may have changed: it stays until the answers come. */
function look() {
  question += 1;
  asked = new Map();
  for (const page of pages.values()) page.stale = true;
  draw();
  if (!state.known || state.total === 0) want(0);
  people();
  if (viewer.open) details();
}

/** Another question: what is here does not answer it. */
function search() {
  pages = new Map();
  question += 1;
  asked = new Map();
  scrollTo(0, 0);
  want(0);
}

/** Why a question was refused, in words. */
let refused = "";
/** Nothing is asked for a while after it went wrong. */
let resting = 0;
function failed(wrong) {
  if (wrong.status === 400) {
    state.total = 0;
    state.known = true;
    refused = wrong.message;
    return;
  }
  resting ||= setTimeout(() => {
    resting = 0;
    want(0);
    draw();
  }, AGAIN);
  if (wrong.status === 403) ended();
  else if (wrong.status === 0) lost();
  else say(`The node of this home does not answer: ${wrong.message}`);
}

async function people() {
  try {
    const [members, node] = await Promise.all([ask("api/members"), ask("api/status")]);
    state.me = node.user;
    const list = members.members;
    const here = list.filter((it) => it.online);
    const shown = [...here, ...list.filter((it) => !it.online)].slice(0, 8);
    $("members").replaceChildren(
      ...shown.map((it) => {
        const one = make("li", it.online ? "online" : "");
        const name = clean(it.user) + (it.user === state.me ? " (you)" : "");
        one.append(bdi(name));
        one.title = `${name}, ${clean(it.role)}, ${it.online ? "online" : "offline"}`;
        return one;
      }),
      ...(list.length > shown.length ? [make("li", "", `and ${list.length - shown.length} more`)] : []),
    );
    state.people = `${count(list.length, "member")}, ${here.length} online`;
    about();
  } catch {
    // The next look tells.
  }
}

const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

function about() {
  if (!state.known) return;
  $("album").firstChild.textContent = clean(state.album);
  document.title = `${clean(state.album, 60)} – calotype`;
  const part = state.total === state.inAlbum ? "" : `${state.total.toLocaleString("en")} of `;
  $("about").textContent = [part + count(state.inAlbum, "image"), state.people].filter(Boolean).join(" · ");
}

// The grid: as high as the whole album, with tiles only where one looks.

const tiles = new Map(); // by image
let columns = 2;
let row = 200;
let focused = 0;

function measure() {
  const width = $("grid").clientWidth;
  const gap = width < 500 ? 14 : 24;
  columns = Math.max(2, Math.floor((width + gap) / (TILE_MIN + gap)));
  const picture = Math.round((((width - gap * (columns - 1)) / columns) * 2) / 3);
  const caption = CAPTION[width < 700 ? 1 : 0];
  row = picture + caption + gap;
  const sizes = { columns, gap: `${gap}px`, picture: `${picture}px`, caption: `${caption}px` };
  for (const [name, value] of Object.entries(sizes)) $("grid").style.setProperty(`--${name}`, value);
}

function draw() {
  about();
  const none = state.known && state.total === 0 && !asked.size;
  $("empty").hidden = !none;
  if (none) $("empty").textContent = emptiness();
  $("grid").style.height = `${Math.ceil(state.total / columns) * row}px`;
  const top = Math.max(0, -$("grid").getBoundingClientRect().top);
  const first = Math.max(0, Math.floor(top / row) - 1) * columns;
  const last = Math.min(state.total, (Math.ceil((top + innerHeight) / row) + 1) * columns);
  $("tiles").style.top = `${(first / columns) * row}px`;
  for (let page = Math.floor(first / PAGE); page * PAGE < last; page++) want(page);
  const seen = new Set();
  let place = $("tiles").firstChild;
  for (let index = first; index < last; index++) {
    const image = entry(index);
    const key = image ? `${image.hash} ${image.name}` : `#${index}`;
    seen.add(key);
    const tile = tiles.get(key) ?? newTile(key);
    fill(tile, image, index);
    if (tile.item === place) place = place.nextSibling;
    else $("tiles").insertBefore(tile.item, place);
  }
  for (const [key, tile] of tiles) {
    if (seen.has(key)) continue;
    tile.picture.removeAttribute("src"); // no longer waited for
    tile.item.remove();
    tiles.delete(key);
  }
}

function emptiness() {
  if (refused) return `This cannot be searched for\n${clean(refused)}`;
  if (state.inAlbum) return `Nothing is called that\n${count(state.inAlbum, "image")} in the album`;
  return "No images yet\ncalotype add-image ~/Pictures/trip\nadds a folder; it shows here at once";
}

function newTile(key) {
  const tile = { item: make("li"), button: make("button", "tile"), frame: make("span", "frame"), picture: make("img") };
  tile.why = make("span", "why");
  tile.name = make("bdi", "name");
  tile.stars = make("span", "stars");
  tile.by = make("bdi", "by");
  tile.made = make("span", "made");
  const [caption, above, under] = [make("span", "caption"), make("span", "top"), make("span", "under")];
  above.append(tile.name, tile.stars);
  under.append(tile.by, tile.made);
  caption.append(above, under);
  tile.frame.append(tile.picture, tile.why);
  tile.button.append(tile.frame, caption);
  tile.item.append(tile.button);
  tile.picture.alt = "";
  tile.picture.decoding = "async";
  tile.picture.onload = () => {
    tile.frame.classList.add("here");
    tile.missing = false;
    tile.why.textContent = "";
  };
  tile.picture.onerror = () => {
    tile.missing = true;
    tile.why.textContent = absence(tile.image);
  };
  tile.button.onclick = () => viewer.show(tile.index);
  tiles.set(key, tile);
  return tile;
}

/** Why there is no picture. */
function absence(image) {
  if (!image) return "";
  if (image.state === "ready") return "cannot be shown";
  return image.state === "fetching" ? "fetching…" : "not here yet";
}

function stars(rating) {
  const mean = rating.mean === null ? "" : `★ ${rating.mean.toFixed(1)}`;
  return rating.mine === null ? mean : `${mean} · you ${rating.mine}`;
}

/** `✓`, `✗ false`, or nothing where nobody looked. */
function mark(image) {
  return { true: " ✓", false: " ✗ false" }[image.verified] ?? "";
}

function fill(tile, image, index) {
  tile.index = index;
  tile.button.tabIndex = index === focused ? 0 : -1;
  if (!image || (tile.image === image && !tile.missing)) return;
  const first = !tile.image;
  const came = tile.missing && tile.image !== image;
  tile.image = image;
  tile.name.textContent = clean(image.name);
  tile.name.title = clean(image.name);
  tile.stars.textContent = stars(image.rating);
  tile.by.textContent = clean(image.author);
  tile.made.textContent = image.recipe ? clean(image.recipe, 80) + mark(image) : "";
  tile.made.classList.toggle("bad", image.verified === false);
  tile.made.title = image.recipe ? `${clean(image.recipe)} of ${clean(image.source ?? "an image that is gone")}` : "";
  tile.picture.alt = `${clean(image.name)} by ${clean(image.author)}`;
  if ((first || came) && isHash(image.hash)) tile.picture.src = `small/${image.hash}`;
  else if (tile.missing) tile.why.textContent = absence(image);
}

function retry() {
  for (const tile of tiles.values()) {
    if (tile.missing && tile.image.state !== "ready") tile.picture.src = `small/${tile.image.hash}`;
  }
}

/** Moves the focus among the tiles; those that are not drawn yet are drawn first. */
function focus(index) {
  focused = Math.max(0, Math.min(state.total - 1, index));
  const top = $("grid").offsetTop + Math.floor(focused / columns) * row;
  if (top < scrollY) scrollTo(0, top - 12);
  else if (top + row > scrollY + innerHeight) scrollTo(0, top + row - innerHeight + 12);
  draw();
  for (const tile of tiles.values()) if (tile.index === focused) tile.button.focus({ preventScroll: true });
}

$("tiles").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
  const end = { Home: 0, End: state.total - 1 }[event.key];
  if (step === undefined && end === undefined) return;
  event.preventDefault();
  const next = end ?? focused + step;
  if (next >= 0 && next < state.total) focus(next);
});
$("tiles").addEventListener("focusin", (event) => {
  const tile = [...tiles.values()].find((it) => it.button === event.target);
  if (tile) focused = tile.index;
});

// One image, large.

const viewer = {
  open: false,
  /** Its place in the list; what is shown may be a source or a version that stands elsewhere. */
  index: 0,
  image: null,

  async show(index) {
    if (index < 0 || index >= state.total) return;
    await want(Math.floor(index / PAGE));
    const image = entry(index);
    if (!image) return;
    this.index = index;
    this.view(image);
  },

  view(image) {
    if (!this.open) {
      this.open = true;
      history.pushState({ viewer: true }, "");
      document.body.classList.add("still");
      $("viewer").showModal();
      $("stage").focus();
    }
    if (this.image?.hash !== image.hash) {
      $("viewer").scrollTop = 0;
      $("details").scrollTop = 0;
    }
    this.image = image;
    this.picture(image);
    describe({ image, source: null, versions: [], ratings: [] }, true);
    $("previous").disabled = this.index === 0;
    $("next").disabled = this.index === state.total - 1;
    details();
  },

  /** The small one at once, the large one when it is here. */
  picture(image) {
    compare(null);
    const [shown, waiting] = [$("picture"), $("waiting")];
    shown.removeAttribute("src");
    shown.alt = `${clean(image.name)} by ${clean(image.author)}`;
    waiting.hidden = true;
    if (!isHash(image.hash)) return;
    const now = () => this.image === image || this.image?.hash === image.hash;
    const large = new Image();
    shown.onerror = () => {
      shown.removeAttribute("src");
      waiting.textContent = absence(image);
      waiting.hidden = false;
    };
    shown.onload = () => (waiting.hidden = true);
    shown.src = `small/${image.hash}`;
    large.onload = () => now() && (shown.src = large.src);
    large.src = `large/${image.hash}`;
  },

  close() {
    if (history.state?.viewer) history.back();
    else this.closed();
  },

  closed() {
    if (!this.open) return;
    this.open = false;
    this.image = null;
    $("viewer").close();
    document.body.classList.remove("still");
    focus(this.index);
  },
};

/** Lays the source over the version, up to the slider. */
function compare(source, version) {
  const same = source && source.width * version.height === source.height * version.width;
  $("compare").hidden = !same;
  $("before").hidden = !same;
  $("before").removeAttribute("src");
  if (!same || !isHash(source.hash)) return;
  $("before").onerror = () => compare(null);
  $("before").src = `large/${source.hash}`;
  $("before").alt = `${clean(source.name)}, the source`;
  cut(50);
}

function cut(percent) {
  $("cut").value = percent;
  $("before").style.setProperty("--at", `${percent}%`);
}

/** What belongs to the image that is shown, asked anew. */
async function details() {
  const image = viewer.image;
  try {
    const told = await ask(`api/image/${image.hash}`);
    if (viewer.image !== image) return;
    // By its bytes; the same bytes may stand under several names.
    told.image = { ...told.image, name: image.name, author: image.author, added: image.added };
    describe(told);
  } catch (wrong) {
    if (wrong.status === 404 && viewer.image === image) $("by").textContent = "not in the album any more";
  }
}

function describe(told, early) {
  const image = told.image;
  $("name").textContent = clean(image.name);
  $("by").textContent = `by ${clean(image.author)}, ${day(image.added)}`;
  $("made").hidden = !image.recipe;
  if (image.recipe) {
    const steps = clean(image.recipe).split("+");
    $("recipe").replaceChildren(...steps.map((step) => make("li", "", step)));
    $("verified").textContent =
      { true: "verified ✓ – the same pixels come out again", false: "verified: false – other pixels come out" }[
        image.verified
      ] ?? "not verified yet";
    $("verified").className = { true: "good", false: "bad" }[image.verified] ?? "";
    const gone = early ? [] : [make("p", "", "its source is not in the album any more")];
    $("source").replaceChildren(...(told.source ? [link(told.source, `made of ${told.source.name}`)] : gone));
    if (told.source && $("compare").hidden) compare(told.source, image);
  }
  const { mean, count: n, mine } = image.rating;
  $("mean").textContent = mean === null ? "nobody rated it" : `★ ${mean.toFixed(2)} `;
  if (mean !== null) $("mean").append(make("small", "", `${count(n, "rating")}${mine === null ? "" : `, yours ${mine}`}`));
  $("ratings").replaceChildren(
    ...told.ratings.map((it) => {
      const [line, number] = [make("li"), make("span", "", "★".repeat(it.stars) || "0")];
      number.setAttribute("aria-label", count(it.stars, "star"));
      line.append(bdi(it.user), number);
      return line;
    }),
  );
  $("others").hidden = !told.versions.length;
  $("versions").replaceChildren(
    ...told.versions.map((it) => {
      const item = make("li");
      item.append(link(it, it.name, clean(it.recipe) + mark(it)));
      return item;
    }),
  );
  facts(image);
}

/** Another image that can be gone to. */
function link(image, text, under) {
  const [button, picture, words] = [make("button", "small"), make("img"), make("span")];
  picture.alt = "";
  if (isHash(image.hash)) picture.src = `small/${image.hash}`;
  words.append(bdi(text));
  if (under) words.append(make("small", "", under));
  button.append(picture, words);
  button.onclick = () => viewer.view(image);
  return button;
}

function facts(image) {
  const lines = [
    ["size", image.width && `${image.width} × ${image.height}`],
    ["file", `${bytes(image.size)}${image.media ? `, ${clean(image.media).replace("image/", "")}` : ""}`],
    ["taken", image.taken && clean(image.taken, 30).replace("T", " ")],
    ["added", day(image.added)],
    ["bytes", image.local ? "here" : image.state === "fetching" ? "on their way" : "with another member"],
    ["damaged", image.damaged && "yes"],
    ["BLAKE3", image.hash],
  ];
  $("facts").replaceChildren(
    ...lines.filter(([, value]) => value).flatMap(([key, value]) => [make("dt", "", key), make("dd", key === "BLAKE3" ? "hash" : "", value)]),
  );
}

function bytes(n) {
  if (n < 1000) return `${n} B`;
  const step = Math.min(3, Math.floor(Math.log10(n) / 3));
  return `${(n / 1000 ** step).toPrecision(3)} ${["", "kB", "MB", "GB"][step]}`;
}

function day(text) {
  const at = new Date(text);
  return isNaN(at) ? clean(text, 30) : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

$("previous").onclick = () => viewer.show(viewer.index - 1);
$("next").onclick = () => viewer.show(viewer.index + 1);
$("close").onclick = () => viewer.close();
$("cut").oninput = () => cut($("cut").value);
$("viewer").addEventListener("cancel", (event) => {
  event.preventDefault();
  viewer.close();
});
document.addEventListener("keydown", (event) => {
  if (!viewer.open || event.target === $("cut")) return;
  if (event.key === "ArrowRight") viewer.show(viewer.index + 1);
  if (event.key === "ArrowLeft") viewer.show(viewer.index - 1);
});
// Whatever closed it.
$("viewer").addEventListener("close", () => viewer.open && viewer.close());
addEventListener("popstate", () => viewer.closed());

// The news.

function say(text) {
  $("banner").hidden = !text;
  $("banner").textContent = clean(text);
}

function lost() {
  say("The connection is lost. Trying again…");
}

function ended() {
  say("This page has ended. `calotype gallery` prints a new link.");
}

let settling = 0;
function soon() {
  settling ||= setTimeout(() => {
    settling = 0;
    look();
  }, SETTLE);
}

let telling = 0;
function tell(text) {
  $("news").textContent = clean(text);
  $("news").classList.add("told");
  clearTimeout(telling);
  telling = setTimeout(() => $("news").classList.remove("told"), NEWS_SHOWN);
}

function heard(news) {
  if (news.album && news.album !== state.album) return;
  const words = {
    "image-added": () => `${news.author} added ${news.name}${news.recipe ? ` (${news.recipe})` : ""}`,
    "image-removed": () => `${news.by} removed ${news.name}`,
    "version-false": () => `${news.name} is not what its recipe gives`,
    rated: () => `${news.by} rated ${news.name}`,
    "member-added": () => `${news.user} is a member now`,
    "member-removed": () => `${news.user} is no member any more`,
    "peer-joined": () => `${news.user} is here`,
  }[news.kind];
  if (words) tell(words());
  soon();
}

let stream = null;
function listen() {
  stream?.close();
  stream = new EventSource("api/events");
  stream.onmessage = (event) => heard(JSON.parse(event.data));
  stream.addEventListener("online", () => look());
  stream.addEventListener("offline", () => say("The node of this home has ended. The page goes on when there is one again."));
  stream.onerror = () => {
    if (document.hidden) return;
    lost();
    // Refused, not lost: the browser gives up by itself, the page looks why.
    if (stream.readyState === EventSource.CLOSED) {
      ask("api/status").catch(failed);
      setTimeout(listen, AGAIN);
    }
  };
}

// A page that nobody sees holds no connection.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stream?.close();
  else listen();
});

let drawing = 0;
function drawSoon() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    draw();
  });
}
addEventListener("scroll", drawSoon, { passive: true });
new ResizeObserver(() => {
  measure();
  drawSoon();
}).observe($("grid"));
let typing = 0;
$("search").oninput = () => {
  clearTimeout(typing);
  typing = setTimeout(search, SETTLE);
};
$("sort").onchange = search;
$("find").onsubmit = (event) => event.preventDefault();
setInterval(retry, AGAIN);

if (history.state?.viewer) history.replaceState(null, "");
measure();
listen();
want(0);
