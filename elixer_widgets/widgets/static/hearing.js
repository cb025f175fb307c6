// anywidget 0.11 gives a module two seconds: a model whose module took longer, on a busy computer, refuses all that it is
// ever told after that, and its page stands still without a word. A model that was given to `hear` takes what it is told
// from then on, after all that it took before. Python puts this file before the module of a widget that is spoken to.
async function hear(model) {
  const told = await model.widget_manager.get_model(model.get("me"));
  let owner = Object.getPrototypeOf(told);
  while (owner && !Object.hasOwn(owner, "_handle_comm_msg")) owner = Object.getPrototypeOf(owner);
  const plain = owner && Object.getPrototypeOf(owner)._handle_comm_msg;
  if (!plain || !told.comm) return;
  // a message that says nothing comes to its end, good or bad, after those that wait for the module
  const nothing = { content: { data: { method: "nothing" } } };
  const before = Promise.resolve(owner._handle_comm_msg.call(told, nothing)).catch(() => null);
  const take = (...message) => before.then(() => plain.apply(told, message));
  told._handle_comm_msg = take;
  told.comm.on_msg(take);
}
