// The picture of a playground in the browser: paints the frames the kernel sends, newest wins,
// and reports pointer, keyboard and screen. One <canvas>, one error box, one line of text.
// `onKernelEnd` stands in kernel_end.js, which canvas.py puts before this.

// Widget managers hand over a DataView or an ArrayBuffer.
const bytesOf = (buffer) =>
  buffer.buffer ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Uint8Array(buffer);

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "course-live";

  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.tabIndex = 0;
  const [width, height] = model.get("size");
  canvas.width = width;
  canvas.height = height;
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.style.width = `${width}px`;
  const error = document.createElement("div");
  error.className = "course-live-error";
  error.setAttribute("role", "alert");
  error.hidden = true;
  // The line that is read follows each frame; what a screen reader speaks changes at rest only.
  const summary = document.createElement("div");
  summary.className = "course-live-summary";
  summary.setAttribute("aria-hidden", "true"); // the picture's name and the spoken line say it
  const spoken = document.createElement("div");
  spoken.className = "course-live-spoken";
  spoken.setAttribute("role", "status");
  const stage = document.createElement("div");
  stage.className = "course-live-stage";
  stage.append(canvas);
  root.append(stage, error, summary, spoken);
  el.append(root);
  const context = canvas.getContext("2d", { alpha: false });

  // A kernel that has ended knows nothing of this playground: the picture stays, its controls must
  // not look as if they could move it.
  function lost() {
    say({ error: "The kernel has ended, so this playground is only a picture: run its cell again." });
    for (const part of root.closest(".course-playground")?.children ?? []) {
      part.inert = !part.contains(root);
    }
  }
  const stopListening = onKernelEnd(model, root, lost);
  const tell = (message) => {
    try {
      model.send(message);
    } catch {
      lost();
    }
  };

  let shown = -1; // number of the newest frame painted
  let closed = false;
  let output; // the part of the page that shows this view

  function say(message) {
    if (message.summary !== undefined) {
      canvas.setAttribute("aria-label", message.summary);
      summary.textContent = message.summary;
      if (message.format === "png" && spoken.textContent !== message.summary) {
        spoken.textContent = message.summary;
      }
    }
    error.textContent = message.error ?? "";
    error.hidden = !message.error;
    canvas.classList.toggle("course-live-stale", Boolean(message.error));
  }

  // Pictures kept so that later frames can be sent as "what differs from it": number → ImageBitmap,
  // newest last. No pixel is ever read back: browsers that guard against fingerprinting (Firefox's
  // resistFingerprinting, LibreWolf, Tor) answer with noise.
  const KEPT = 4; // as in picture.py
  const backgrounds = new Map();
  let overlay; // what differs, on transparent ground: { context, image, pixels, dirty: [start, end, …] }

  const decode = (buffer, format) =>
    createImageBitmap(new Blob([bytesOf(buffer)], { type: `image/${format}` }));

  async function keep(message, buffer) {
    const bitmap = await decode(buffer, message.format);
    backgrounds.delete(message.background); // a second view was told too
    backgrounds.set(message.background, bitmap);
    if (backgrounds.size > KEPT) backgrounds.delete(backgrounds.keys().next().value);
  }

  function clearOverlay(width, height) {
    if (overlay?.image.width !== width || overlay.image.height !== height) {
      const context = new OffscreenCanvas(width, height).getContext("2d");
      const image = new ImageData(width, height);
      overlay = { context, image, pixels: new Uint32Array(image.data.buffer), dirty: [] };
    }
    const { pixels, dirty } = overlay;
    for (let i = 0; i < dirty.length; i += 2) pixels.fill(0, dirty[i], dirty[i + 1]);
    dirty.length = 0;
    return overlay;
  }

  function resize(width, height) {
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
  }

  const colour = (bytes, at) =>
    (0xff000000 | (bytes[at + 2] << 16) | (bytes[at + 1] << 8) | bytes[at]) >>> 0;

  // Runs of pixels that differ from the background: starts (uint32), lengths (uint16), and three
  // bytes of colour for each pixel, or for each run if they are flat.
  function patch(message, buffer) {
    const ground = backgrounds.get(message.background);
    const { context: over, image, pixels, dirty } = clearOverlay(ground.width, ground.height);
    const bytes = bytesOf(buffer).slice(); // aligned
    const runs = message.runs;
    const starts = new Uint32Array(bytes.buffer, 0, runs);
    const lengths = new Uint16Array(bytes.buffer, 4 * runs, runs);
    let at = 6 * runs;
    for (let i = 0; i < runs; i++) {
      const end = starts[i] + lengths[i];
      dirty.push(starts[i], end);
      if (message.flat) {
        pixels.fill(colour(bytes, at), starts[i], end);
        at += 3;
      } else {
        for (let p = starts[i]; p < end; p++, at += 3) pixels[p] = colour(bytes, at);
      }
    }
    over.putImageData(image, 0, 0);
    resize(image.width, image.height);
    context.drawImage(ground, 0, 0);
    context.drawImage(over.canvas, 0, 0);
  }

  function inflate(buffer) {
    const stream = new DecompressionStream("deflate");
    const writer = stream.writable.getWriter();
    writer.write(bytesOf(buffer));
    writer.close();
    return new Response(stream.readable).arrayBuffer();
  }

  async function paint(message, buffer) {
    if (message.deflated) buffer = await inflate(buffer);
    if (closed) return;
    if (message.format === "patch") {
      if (!backgrounds.has(message.background)) await keeping;
      if (closed || !backgrounds.has(message.background) || message.frame < shown) return;
      patch(message, buffer);
    } else {
      const bitmap = await decode(buffer, message.format);
      if (closed || message.frame < shown) return bitmap.close(); // a newer one was faster
      resize(bitmap.width, bitmap.height);
      context.drawImage(bitmap, 0, 0);
      bitmap.close();
    }
    shown = message.frame;
    output ??= root.closest(".jp-OutputArea-child");
    say(message);
    canvas.dataset.values = message.values;
    canvas.dataset.format = message.format;
    canvas.dataset.generation = message.generation;
    canvas.dataset.input = message.input;
    canvas.dataset.frame = message.frame;
  }

  // The picture that the cell has stored stands until the first frame has come.
  async function begin({ png, words }) {
    if (!png) return;
    const bitmap = await decode(png, "png");
    if (!closed && shown < 0) {
      context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      say({ summary: words });
      canvas.dataset.format = "first";
    }
    bitmap.close();
  }
  begin(model.get("first"));

  let keeping; // the newest background, until it is decoded
  let painting; // the newest frame, until it stands
  async function onMessage(message, buffers) {
    if (message.type === "frame") {
      try {
        await (painting = paint(message, buffers[0]));
      } finally {
        if (!closed) tell({ type: "painted", frame: message.frame });
      }
    } else if (message.type === "rest") {
      await painting;
      if (message.frame !== shown) return;
      say(message); // the picture is exact as it stands
      canvas.dataset.format = message.format;
    } else if (message.type === "background") {
      await (keeping = keep(message, buffers[0]));
    } else if (message.type === "error") {
      say(message);
      canvas.dataset.generation = message.generation;
    } else if (message.type === "who looks") {
      ready();
    }
  }
  model.on("msg:custom", onMessage);

  // Pointer: positions as fractions of the picture, from the bottom left; all those between two
  // screen refreshes go out together, so that a fast stroke keeps its shape.
  let batch = [];
  let scheduled = false;
  const flush = () => {
    scheduled = false;
    if (batch.length && !closed) tell({ type: "pointer", events: batch });
    batch = [];
  };
  const queue = (kind, event) => {
    const box = canvas.getBoundingClientRect();
    const moves = kind === "move" ? (event.getCoalescedEvents?.() ?? []) : [];
    for (const e of moves.length ? moves : [event]) {
      batch.push([kind, (e.clientX - box.left) / box.width, 1 - (e.clientY - box.top) / box.height]);
    }
    if (kind !== "move") return flush();
    if (!scheduled) {
      scheduled = true;
      requestAnimationFrame(flush);
    }
  };
  // Where the picture listens to the pointer lie transparent areas over it, on which a finger draws;
  // everywhere else it scrolls the page.
  const areas = model.get("areas");
  for (const [left, bottom, w, h] of areas) {
    const area = document.createElement("div");
    area.className = "course-live-area";
    const place = { left, bottom, width: w, height: h };
    for (const [side, part] of Object.entries(place)) area.style[side] = `${100 * part}%`;
    stage.append(area);
    area.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      area.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
      event.preventDefault();
      queue("down", event);
    });
    area.addEventListener("pointermove", (event) => {
      if (area.hasPointerCapture(event.pointerId)) queue("move", event);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      area.addEventListener(name, (event) => {
        if (area.hasPointerCapture(event.pointerId)) queue("up", event);
      });
    }
  }
  if (areas.length) {
    canvas.addEventListener("keydown", (event) => {
      const known = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Delete", "Backspace", "Escape"];
      if (!known.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      tell({ type: "key", key: event.key, shift: event.shiftKey });
    });
  }

  // Plain keys belong to a playground while it has the focus, not to the notebook ("d d" deletes a
  // cell, arrows select another). JupyterLab looks for this attribute on the focused element.
  const guard = (event) => {
    const playground = root.closest(".course-playground") ?? root;
    if (!(event.target instanceof Element) || !playground.contains(event.target)) return;
    const command = event.ctrlKey || event.metaKey || event.altKey;
    const ours = !command && !(event.shiftKey && event.key === "Enter");
    event.target.toggleAttribute("data-lm-suppress-shortcuts", ours);
  };
  window.addEventListener("keydown", guard, true); // before JupyterLab's own, on the document

  // What ipywidgets leaves without a name, or calls "-1" where it shows 0.1: handles get the label
  // and the readout of their slider, after every change; a player's buttons say what they do.
  function nameControls() {
    const within = (selector) => root.closest(".course-playground")?.querySelectorAll(selector) ?? [];
    const say = (node, name, words) =>
      words && node.getAttribute(name) !== words && node.setAttribute(name, words);
    for (const slider of within(".widget-slider")) {
      const handle = slider.querySelector(".noUi-handle");
      const label = slider.querySelector(".widget-label");
      if (!handle) continue;
      say(handle, "aria-label", label?.textContent.trim() || label?.title || slider.title);
      say(handle, "aria-valuetext", slider.querySelector(".widget-readout")?.textContent.trim());
    }
    for (const icon of within(".widget-play i")) {
      say(icon.parentElement, "aria-label", icon.className.match(/fa-(\w+)/)?.[1]);
    }
    for (const list of within("select[title]")) say(list, "aria-label", list.labels[0]?.textContent || list.title);
  }
  const controls = new MutationObserver(nameControls);
  const arrival = setInterval(() => {
    const playground = root.closest(".course-playground");
    if (!playground) return; // not yet a part of the page
    clearInterval(arrival);
    controls.observe(playground, {
      subtree: true, childList: true, characterData: true, attributeFilter: ["aria-valuetext", "class"],
    });
    nameControls();
  }, 50);

  let screen; // a query knows one ratio of pixels: each change needs a new one
  function ready() {
    screen?.removeEventListener("change", ready);
    screen = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    screen.addEventListener("change", ready);
    tell({ type: "ready", dpr: window.devicePixelRatio });
  }
  ready();

  // Gone with its output; or closed by the kernel, because the cell of which this one is a copy has
  // run again: then the picture stays.
  function leave() {
    if (!output?.isConnected) return tell({ type: "gone" });
    say({ error: "This playground was closed or made anew elsewhere: run this cell to have its own." });
    output.append(root);
  }

  return () => {
    closed = true;
    setTimeout(leave, 300); // what the kernel has closed by then can be told nothing
    window.removeEventListener("keydown", guard, true);
    model.off("msg:custom", onMessage);
    stopListening();
    screen.removeEventListener("change", ready);
    clearInterval(arrival);
    controls.disconnect();
  };
}

export default { initialize, render }; // the former in inputs.js, which canvas.py puts behind this
