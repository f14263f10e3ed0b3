// What a hand moves, told by the page itself where the way to the kernel is long: ipywidgets holds a
// value back until the kernel has answered the one before. Once per playground, however many views
// it has; the kernel says at which pace, and 0 where ipywidgets alone is quick enough.
function initialize({ model }) {
  let pace = 0; // milliseconds
  let timer;
  let number = 0;
  const waiting = new Map(); // control → its newest value, not yet told
  const followed = new Map(); // control → how to stop

  const tell = (message) => {
    try {
      model.send(message);
    } catch {
      // The kernel has ended: the picture says so.
    }
  };
  const report = () => {
    timer = waiting.size ? setTimeout(report, pace) : undefined;
    for (const [control, value] of waiting) {
      number = Math.max(number + 1, Date.now()); // rises, also after the page was opened anew
      tell({ type: "input", control, value, input: number });
    }
    waiting.clear();
  };
  async function follow(id, trait) {
    if (followed.has(id)) return;
    followed.set(id, () => 0);
    const control = await model.widget_manager.get_model(id);
    const moved = (_, value, options) => {
      if (!pace || !options?.updated_view) return; // not by hand: the kernel set it
      waiting.set(id, value);
      if (timer === undefined) report();
    };
    control.on(`change:${trait}`, moved);
    followed.set(id, () => control.off(`change:${trait}`, moved));
  }
  const onMessage = (message) => {
    if (message.type === "ping") {
      tell({ type: "pong", ping: message.ping, inflates: "DecompressionStream" in globalThis });
    } else if (message.type === "pace") {
      pace = message.pace;
      for (const [id, trait] of message.controls) follow(id, trait).catch(() => followed.delete(id));
    }
  };
  model.on("msg:custom", onMessage);
  return () => {
    clearTimeout(timer);
    pace = 0;
    model.off("msg:custom", onMessage);
    for (const stop of followed.values()) stop();
  };
}
