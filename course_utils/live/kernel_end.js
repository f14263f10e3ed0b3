// Calls `ended` when the kernel behind the widget shown in `el` is restarted, breaks down or is shut
// down, as far as the page's client tells (JupyterLab and Notebook 7 do). Returns how to stop it.
function onKernelEnd(model, el, ended) {
  const kernel = model.widget_manager?.kernel;
  const onStatus = (_, status) => /restarting|terminating|dead/.test(status) && ended();
  const onMessage = (_, message) => message.header?.msg_type === "shutdown_reply" && ended();
  const onLife = () => setTimeout(() => el.closest(".jupyter-widgets-disconnected") && ended());
  kernel?.statusChanged?.connect(onStatus);
  kernel?.iopubMessage?.connect(onMessage); // shut down by somebody else: a cull, another page
  kernel?.disposed?.connect(ended);
  model.on("comm_live_update", onLife); // the widgets were cut off
  return () => {
    kernel?.statusChanged?.disconnect(onStatus);
    kernel?.iopubMessage?.disconnect(onMessage);
    kernel?.disposed?.disconnect(ended);
    model.off("comm_live_update", onLife);
  };
}

