// A question in the browser: radio buttons, two push buttons, and a line that says what came of it.
// The kernel judges; `shown` holds all that has been said, so that a second view shows the same.
// `onKernelEnd` stands in live/kernel_end.js, which panel.py puts before this.

const SILENCE = 4000; // ms without an answer until the learner is told why that may be

function render({ model, el }) {
  const form = document.createElement("form");
  form.className = "course-quiz";
  form.innerHTML = `
    <fieldset role="radiogroup"><legend></legend></fieldset>
    <div class="course-quiz-buttons">
      <button type="submit" class="jupyter-button widget-button">Check</button>
      <button type="button" class="jupyter-button widget-button">Show the answer</button>
    </div>
    <div class="course-quiz-said" role="status" aria-live="polite"></div>`;
  const group = form.querySelector("fieldset");
  const legend = form.querySelector("legend");
  const [check, give] = form.querySelectorAll("button");
  const said = form.querySelector(".course-quiz-said");
  legend.innerHTML = model.get("question");
  const rows = model.get("choices").map((choice, index) => {
    const label = document.createElement("label");
    label.innerHTML = `<input type="radio" name="choice" value="${index}"><span>${choice} <b></b></span>`;
    group.append(label);
    return { input: label.querySelector("input"), sign: label.querySelector("b") };
  });
  el.append(form);

  let waiting;
  const say = (html) => {
    clearTimeout(waiting);
    said.innerHTML = html;
  };
  const lost = () => say("The kernel has ended: run this cell again to be answered.");
  const stopListening = onKernelEnd(model, form, lost);

  function show() {
    const { edge, said: html, wrong, right } = model.get("shown");
    const done = right >= 0;
    if (done && rows.some(({ input }) => input === document.activeElement)) check.focus();
    rows.forEach(({ input, sign }, index) => {
      input.disabled = done;
      sign.textContent = index === right ? "✓ right" : wrong.includes(index) ? "✗ not this one" : "";
    });
    // Not disabled: a button that has the focus would lose it, and the learner their place.
    for (const button of [check, give]) button.setAttribute("aria-disabled", done);
    form.style.borderLeftColor = edge;
    say(html);
  }
  model.on("change:shown", show);
  show();

  function send(message) {
    try {
      model.send(message);
      return true;
    } catch {
      lost();
    }
  }
  function tell(message) {
    if (model.get("shown").right >= 0 || !send(message)) return;
    clearTimeout(waiting);
    waiting = setTimeout(
      () => say("No answer yet: the kernel is busy, or it has ended. If it has ended, run this cell again."),
      SILENCE,
    );
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = rows.findIndex(({ input }) => input.checked);
    tell({ type: "answer", choice: chosen });
  });
  give.addEventListener("click", () => tell({ type: "reveal" }));

  // Plain keys belong to the question while it has the focus, not to the notebook (arrows select
  // another cell). JupyterLab looks for this attribute on the focused element.
  const guard = (event) => {
    if (!(event.target instanceof Element) || !form.contains(event.target)) return;
    const command = event.ctrlKey || event.metaKey || event.altKey;
    const ours = !command && !(event.shiftKey && event.key === "Enter");
    event.target.toggleAttribute("data-lm-suppress-shortcuts", ours);
  };
  window.addEventListener("keydown", guard, true); // before JupyterLab's own, on the document
  send({ type: "ready" });

  return () => {
    clearTimeout(waiting);
    window.removeEventListener("keydown", guard, true);
    model.off("change:shown", show);
    stopListening();
  };
}

export default { render };
